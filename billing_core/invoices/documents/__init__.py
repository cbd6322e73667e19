"""The content of an invoice or credit note for its reader, and the PDF of it."""
