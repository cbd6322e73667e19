"""Billed periods of usage: their drafts and lines, what these are made of, and what came too late for them."""
