"""What customers owe: as at any day, and as known at any instant."""
