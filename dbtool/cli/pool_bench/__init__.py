"""`dbtool pool-bench`: from its options to a report on the terminal, in files and on a page."""
