"""What every request to the APIs passes: credentials, limits, safe repetition."""
