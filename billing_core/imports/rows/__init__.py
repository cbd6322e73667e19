"""Rows of a file that belong together."""
