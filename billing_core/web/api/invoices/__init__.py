"""The published invoices API."""
