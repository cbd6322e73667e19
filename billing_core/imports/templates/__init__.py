"""Files to begin with: for each kind one with its columns and example rows, to be filled in and dropped."""
