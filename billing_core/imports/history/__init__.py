"""What each import made, changed and removed: written down as it happens, and read afterwards."""
