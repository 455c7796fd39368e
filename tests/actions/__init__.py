"""What can be done, whoever asks for it."""
