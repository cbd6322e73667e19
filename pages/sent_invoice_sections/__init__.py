"""A sent invoice: what became of it, and everything that can be done about it."""
