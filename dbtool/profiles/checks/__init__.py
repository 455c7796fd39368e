"""What a profile file may say, key by key, and whether it does."""
