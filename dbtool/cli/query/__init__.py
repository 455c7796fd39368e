"""`dbtool query`: from its options to a script's run, or to statements at a prompt."""
