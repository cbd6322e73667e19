"""What customers see without signing in: their invoice, and where they pay it."""
