"""Lists of invoices for files and for programs."""
