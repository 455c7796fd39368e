"""What the pool can do with each driver's connections: look at one, ask it, settle it, reset it."""
