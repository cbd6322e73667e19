"""Before anything else is done for a request: whose it is, and whether it is too much."""
