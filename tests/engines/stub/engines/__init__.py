"""Where `engines/NAME/` would be."""
