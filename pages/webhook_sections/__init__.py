"""Parts of the page about webhooks."""
