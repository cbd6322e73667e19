"""Signing in, and the first set-up."""
