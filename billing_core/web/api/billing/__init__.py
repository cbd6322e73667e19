"""The published billing API v1, /v1/billing: invoices in cents."""
