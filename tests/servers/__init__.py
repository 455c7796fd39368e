"""Real database servers that the tests start, break and stop: private, on loopback, in a temporary directory."""
