"""What events change in billed periods when they come for them, or are taken back: late items are made of it."""
