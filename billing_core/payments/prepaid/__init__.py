"""Prepaid credit: given or bought, it pays invoices of usage as soon as they are sent, until it expires."""
