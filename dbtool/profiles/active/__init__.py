"""Which profile is active, and what it is before anyone checks it."""
