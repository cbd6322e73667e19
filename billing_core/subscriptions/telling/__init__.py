"""Telling customers, and programs of others, what becomes of subscriptions."""
