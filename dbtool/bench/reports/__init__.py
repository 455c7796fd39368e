"""What was found, as data: written, read back, merged, compared and judged."""
