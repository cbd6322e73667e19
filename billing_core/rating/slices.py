"""What a charge was made of: each slice of its quantity at its tier's price, which together explain the amount."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from billing_core.money import PRICE_PLACES, QUANTITY_PLACES
from billing_core.rating.terms import Tier


class Slice(NamedTuple):
    """``quantity`` in thousandths at ``price`` in millionths of a major unit (of a percent), of so many ``orders``.
    ``tier`` counts from 1; None: the rate has none.
    """

    tier: int | None
    quantity: int
    price: int
    orders: int = 1

    @property
    def units(self) -> Decimal:
        return Decimal(self.quantity).scaleb(-QUANTITY_PLACES)

    @property
    def unit_price(self) -> Decimal:
        return Decimal(self.price).scaleb(-PRICE_PLACES)


def graduated(tiers: Sequence[Tier], orders: Sequence[tuple[int, int, int]]) -> list[Slice]:
    """One slice for each tier that anything lies in. ``orders``: of those that reach the same tier, that tier, how many
    they are, and their quantity, in thousandths.
    """
    slices, start = [], 0
    for number, tier in enumerate(tiers, start=1):
        beyond = sum(count for reached, count, _ in orders if reached > number)
        full = 0 if tier.up_to is None else beyond * (tier.up_to - start)
        last = sum(quantity - count * start for reached, count, quantity in orders if reached == number)
        if full + last:
            reaching = beyond + sum(count for reached, count, _ in orders if reached == number)
            slices.append(Slice(number, full + last, tier.price, reaching))
        start = tier.up_to or start
    return slices
