"""What a type checker sees of the library: `make check` reads this, and nothing runs it."""
