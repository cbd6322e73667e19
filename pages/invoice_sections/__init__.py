"""The parts of the Invoices page."""
