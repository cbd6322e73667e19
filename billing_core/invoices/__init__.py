"""Invoices and credit notes: drafted, numbered, sent, and followed until nothing is due."""
