"""Stripe as a gateway, through its own library. Nothing outside this folder knows that library."""
