"""Money received, what it pays, and money paid back."""
