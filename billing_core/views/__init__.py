"""Saved views: a person's named filters of a page, opened again with one click."""
