"""Imports that are taken back: what they made goes, what they changed returns, unless something relies on it."""
