"""Scripts of others, run by dbtool and by the native client, and what the two do differently."""
