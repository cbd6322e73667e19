"""The published reports API, in both dialects."""
