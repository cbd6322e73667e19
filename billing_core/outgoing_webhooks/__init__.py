"""Outgoing webhooks: notifying other programs of events."""
