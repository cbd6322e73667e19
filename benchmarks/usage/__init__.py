"""Measurements of usage: how it comes in, what it costs, and what programs and people read of it."""
