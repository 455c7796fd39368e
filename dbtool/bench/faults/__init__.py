"""What breaks a server or the way to it, while a load runs."""
