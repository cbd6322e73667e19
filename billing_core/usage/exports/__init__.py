"""What customers used, as files."""
