"""What is measured of a pool apart from its load, and what a sweep says of its size."""
