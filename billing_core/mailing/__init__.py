"""Mails to customers: their texts, sending invoices, reminders of overdue ones."""
