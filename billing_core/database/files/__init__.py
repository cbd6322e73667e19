"""Files as they come and go: those under way, and the one that is open."""
