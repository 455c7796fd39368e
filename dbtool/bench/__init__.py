"""What `dbtool pool-bench` measures: pools under load, as data."""
