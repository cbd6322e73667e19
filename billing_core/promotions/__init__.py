"""Promo codes: what they take off a plan's price, who may redeem them, and who has."""
