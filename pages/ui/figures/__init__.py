"""Figures: cards, charts, and the rows that each opens into."""
