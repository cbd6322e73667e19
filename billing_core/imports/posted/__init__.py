"""Files that programs post: checked first, and imported once that is confirmed, or where nothing is unsure."""
