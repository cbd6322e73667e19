"""Mails that came back: what mail servers tell of them, and whose addresses do not work."""
