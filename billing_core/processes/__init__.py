"""The processes of the product that run, and those that died."""
