"""What can be done with profiles and databases, whoever asks: nothing here prints, or asks but through a `Face`."""
