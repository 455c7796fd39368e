"""What a database holds, as plain values: tables and what belongs to them, routines, sequences and types."""
