"""Changes to profile files that keep everything else as it is."""
