"""What the reader of an invoice or a credit note sees, and the same as a PDF."""
