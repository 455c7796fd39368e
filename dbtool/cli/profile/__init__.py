"""`dbtool profile`: its commands, and what each does on a terminal."""
