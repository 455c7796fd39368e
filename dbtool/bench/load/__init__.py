"""A load on a pool: its clients, what they do, and what they have seen."""
