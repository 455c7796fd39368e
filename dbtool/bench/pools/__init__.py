"""The pools that can be tested."""
