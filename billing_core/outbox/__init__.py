"""Outgoing messages: written with the change, delivered afterwards by a job."""
