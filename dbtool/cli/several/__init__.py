"""What commands do on many profiles at a time: which ones, how they are watched, and what came of each."""
