"""From a quantity to an amount in SQL: tiers, the one rounding, minimum and maximum. Integers throughout.

A quantity in thousandths times a price in millionths is exact; it becomes minor units once, rounded half up. Where it
may not fit into 64 bits the rate is ``wide``: then it is computed as exactly another way, which takes longer.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, String, case, cast, literal, null

from billing_core.database.functions import rounded_product
from billing_core.money import LARGEST_MINOR, PRICE_PLACES, QUANTITY_PLACES, decimal_places, rounded_quotient
from billing_core.rating.models import TierMode
from billing_core.rating.terms import Terms

LARGEST = 2**63 - 1
# What stands for every amount that is larger than it may be.
TOO_MUCH = LARGEST_MINOR + 1


def divisor(rate: Terms) -> int:
    """What the product of scaled quantity and scaled price is divided by to be minor units."""
    percent = 2 if rate.is_percent else 0
    return int(10 ** (QUANTITY_PLACES + PRICE_PLACES + percent - decimal_places(rate.currency)))


def amount(rate: Terms, quantity: ColumnElement[int]) -> ColumnElement[int]:
    """Minor units for a quantity above 0, within the rate's minimum and maximum; of a wide rate ``TOO_MUCH`` stands for
    all that is more than can be billed.
    """
    rounded = _rounded(rate, quantity)
    bounds: list[tuple[Any, Any]] = []
    if rate.minimum is not None:
        bounds.append((rounded < rate.minimum, rate.minimum))
    if rate.maximum is not None:
        bounds.append((rounded > rate.maximum, rate.maximum))
    return case(*bounds, else_=rounded) if bounds else rounded


def bound(rate: Terms, quantity: ColumnElement[int]) -> ColumnElement[str | None]:
    """Which bound decided the amount: ``minimum``, ``maximum`` or NULL."""
    if rate.minimum is None and rate.maximum is None:
        return cast(null(), String)
    rounded = _rounded(rate, quantity)
    words: list[tuple[Any, Any]] = []
    if rate.minimum is not None:
        words.append((rounded < rate.minimum, literal("minimum", String)))
    if rate.maximum is not None:
        words.append((rounded > rate.maximum, literal("maximum", String)))
    return case(*words, else_=cast(null(), String))


def unit_price(rate: Terms, quantity: ColumnElement[int]) -> ColumnElement[int]:
    """The price in millionths; with tiers, the price of the tier that the quantity reaches."""
    return _by_tier(rate, quantity, [literal(price, BigInteger) for price, _, _ in _steps(rate)])


def tier(rate: Terms, quantity: ColumnElement[int]) -> ColumnElement[int | None]:
    """The tier that the quantity reaches, from 1; NULL without tiers."""
    numbers = [literal(number, Integer) for number, _ in enumerate(rate.tiers, start=1)]
    return _by_tier(rate, quantity, numbers) if numbers else cast(null(), Integer)


def _rounded(rate: Terms, quantity: ColumnElement[int]) -> ColumnElement[int]:
    if not rate.wide:
        return rounded_quotient(_exact(rate, quantity), divisor(rate))
    amounts = [
        rounded_product(quantity - start, price, base=below, divisor=divisor(rate), most=TOO_MUCH)
        for price, start, below in _steps(rate)
    ]
    return _by_tier(rate, quantity, amounts)


def _exact(rate: Terms, quantity: ColumnElement[int]) -> ColumnElement[int]:
    if rate.tier_mode is not TierMode.GRADUATED:
        return quantity * unit_price(rate, quantity)
    # Past the largest integer no quantity can reach the tier, or the rate would be wide.
    sums = [
        literal(min(below, LARGEST), BigInteger) + (quantity - start) * literal(price, BigInteger)
        for price, start, below in _steps(rate)
    ]
    return _by_tier(rate, quantity, sums)


def _steps(rate: Terms) -> Iterator[tuple[int, int, int]]:
    """The price in each tier, or the only one; the quantity from which it holds; what all before that costs together,
    in thousandths of millionths.
    """
    if not rate.tiers:
        yield rate.price, 0, 0
    below, start = 0, 0
    for step in rate.tiers:
        yield step.price, start, below
        if rate.tier_mode is TierMode.GRADUATED and step.up_to is not None:
            below, start = below + (step.up_to - start) * step.price, step.up_to


def _by_tier(rate: Terms, quantity: ColumnElement[int], values: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    *steps, last = values
    if not steps:
        return last
    ends = [step.up_to for step in rate.tiers[:-1]]
    return case(*((quantity <= end, value) for end, value in zip(ends, steps, strict=True)), else_=last)
