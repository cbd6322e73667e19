"""Customers' pages without signing in: their invoice, and its payment."""
