"""A database toolbox: named profiles, exact output, and pools you can trust."""
