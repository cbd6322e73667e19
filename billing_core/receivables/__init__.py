"""What customers owe: as at any day, and as it was known then."""
