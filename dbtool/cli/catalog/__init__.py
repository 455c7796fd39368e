"""The commands that show what a database holds and who is connected to it."""
