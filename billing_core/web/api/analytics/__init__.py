"""The published analytics API: organizations, what they used, and what it costs."""
