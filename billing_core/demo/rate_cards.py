"""The demo company's prices: each customer's card in two versions, before and after a rise."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from billing_core.dates import add_months
from billing_core.demo.definitions import CustomerDefinition, Definitions, RateDefinition
from billing_core.money import Money

# The days without a price between two versions where a card has a gap.
GAP = timedelta(days=10)
LATE_BY_MONTHS = 2
_PRICE_STEP = Decimal("0.0001")


def rates(made_of: Definitions, customer: CustomerDefinition, *, first_month: date) -> Iterator[dict[str, Any]]:
    """The rows of one customer's rates by column, with ``service`` as its code.

    ``first_month`` is the month in which the company's first orders came in.
    """
    if customer.quirk == "no_rate":
        return
    card = made_of.card(customer.card)
    starts = add_months(first_month, customer.joins + (LATE_BY_MONTHS if customer.quirk == "late_rate" else 0))
    rises = add_months(first_month, card.raised_after_months)
    for rate in card.rates:
        factor = customer.factor
        if rate.fixed:
            factor = Decimal(1)
        skus = customer.marked_skus(made_of.sector(customer.sector), rate.only) if rate.only else None
        if rate.fixed or starts >= rises:
            yield _row(customer, rate, factor, skus, starts, None)
            continue
        gap = GAP if customer.quirk == "rate_gap" and rate is card.rates[0] else timedelta(0)
        ends = rises - timedelta(days=1) - gap
        yield _row(customer, rate, factor, skus, starts, ends)
        yield _row(customer, rate, factor * (1 + card.raised_percent / 100), skus, rises, None)


def _row(
    customer: CustomerDefinition,
    rate: RateDefinition,
    factor: Decimal,
    skus: list[str] | None,
    valid_from: date,
    valid_to: date | None,
) -> dict[str, Any]:
    return {
        "service": rate.service,
        "unit_price": _price(rate.unit_price, factor),
        "currency": customer.currency,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "minimum_minor": _minor(rate.minimum, customer.currency),
        "maximum_minor": _minor(rate.maximum, customer.currency),
        "skus": skus,
        "tier_mode": rate.tier_mode,
        "tiers": [
            {"up_to": tier.up_to, "unit_price": format(_price(tier.unit_price, factor).normalize(), "f")}
            for tier in rate.tiers
        ]
        or None,
        "conditions": rate.conditions,
    }


def _price(price: Decimal, factor: Decimal) -> Decimal:
    return (price * factor).quantize(_PRICE_STEP, ROUND_HALF_UP)


def _minor(amount: Decimal | None, currency: str) -> int | None:
    return None if amount is None else Money.rounded(amount, currency).minor
