"""Subscriptions as people look at them: lists and their sums, what was billed of one, and what comes next."""
