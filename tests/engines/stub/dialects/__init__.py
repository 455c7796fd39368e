"""Where `dialects/NAME.py` would be."""
