"""The driver half of the engine that speaks to nothing."""
