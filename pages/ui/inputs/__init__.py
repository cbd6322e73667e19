"""What people type and choose: filters, customers by name, exact numbers, several rows at once."""
