"""This process among the others: it says that it lives, hears what they say, and takes over from those that died."""
