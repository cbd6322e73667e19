"""Outgoing webhooks: other programs are told what happens here."""
