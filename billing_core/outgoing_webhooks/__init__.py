"""Programs of others that want to hear what happens here: outgoing webhooks."""
