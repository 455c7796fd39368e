"""SQL in, results out: sources, binding, sessions, the runner, and the way to stop it."""
