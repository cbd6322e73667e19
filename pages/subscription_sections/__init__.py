"""Parts of the Subscriptions page."""
