"""What someone who means harm would try, each attack a test: trust, secrets and guards hold against it."""
