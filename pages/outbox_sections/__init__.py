"""Parts of the outbox page."""
