"""Stripe as a gateway, through its own library, which nothing outside this folder imports."""
