"""Writing an invoice: a draft that is saved as it is written."""
