"""Reconciliation of a gateway's own books with ours."""
