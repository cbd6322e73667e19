"""Statements of what organizations used, and what it costs."""
