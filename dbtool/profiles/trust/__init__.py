"""What a stranger's project may say, and the record of what its owner has looked at."""
