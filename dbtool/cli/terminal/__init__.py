"""What every command shares: words, questions, rows and listings on a terminal or in a file."""
