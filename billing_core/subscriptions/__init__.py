"""Subscriptions: customers on plans, billed once for each period, charged without them."""
