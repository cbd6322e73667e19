"""Mails to customers: their texts, sending invoices, reminding of late ones."""
