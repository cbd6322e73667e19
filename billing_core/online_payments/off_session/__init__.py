"""Cards on file, and what is charged to them without the customer."""
