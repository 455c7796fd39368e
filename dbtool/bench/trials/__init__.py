"""A pool's trial from its first connection to its report."""
