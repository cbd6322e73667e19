"""A charge in words: what was counted, at which price, and which bound decided."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from billing_core.money import Money, decimal_places
from billing_core.rating.models import CostType, TierMode

_UNITS = {
    CostType.PER_ORDER: ("order", "orders"),
    CostType.PER_ITEM: ("item", "items"),
    CostType.PER_SKU: ("SKU", "SKUs"),
    CostType.PER_CASE: ("case", "cases"),
    CostType.PER_LOOSE_UNIT: ("loose unit", "loose units"),
    CostType.PER_PACKAGE: ("package", "packages"),
    CostType.PER_WEIGHT_UNIT: ("weight unit", "weight units"),
}


def explain(
    *,
    cost_type: CostType,
    quantity: Decimal,
    unit_price: Decimal,
    currency: str,
    amount_minor: int,
    bound: str | None,
    matched: str | None,
    tier: int | None,
    tier_mode: TierMode | None,
    tiers: Sequence[dict[str, Any]] | None,
) -> str:
    """Such as “3 cases × 2.50 = 7.50; minimum 10.00 applied”. Prices and amounts in major units of the currency."""
    amount = Money(amount_minor, currency)
    if tier_mode is TierMode.GRADUATED and tiers:
        slices = list(_slices(quantity, tiers))
        terms = [_term(cost_type, part, price, currency) for part, price in slices]
        exact = sum((_exact(cost_type, part, price) for part, price in slices), Decimal(0))
    else:
        terms = [_term(cost_type, quantity, unit_price, currency)]
        exact = _exact(cost_type, quantity, unit_price)
    computed = Money.rounded(exact, currency)
    words = f"{' + '.join(terms)} = {_price(exact, currency)}"
    if computed.amount != exact:
        words += f", rounded {computed.amount:,}"
    if tier_mode is TierMode.VOLUME and tier is not None:
        words += f"; price of tier {tier}"
    if bound:
        words += f"; {bound} {amount.amount:,} applied"
    if matched:
        words += f"; because {matched}"
    return words


def _slices(quantity: Decimal, tiers: Sequence[dict[str, Any]]) -> Iterator[tuple[Decimal, Decimal]]:
    """(quantity, price) for each tier that the quantity reaches into."""
    below = Decimal(0)
    for tier in tiers:
        upper = quantity if tier["up_to"] is None else min(quantity, Decimal(tier["up_to"]))
        if upper > below:
            yield upper - below, Decimal(tier["unit_price"])
            below = upper


def _exact(cost_type: CostType, quantity: Decimal, price: Decimal) -> Decimal:
    return quantity * price / 100 if cost_type is CostType.PERCENT_OF_SERVICES else quantity * price


def _term(cost_type: CostType, quantity: Decimal, price: Decimal, currency: str) -> str:
    if cost_type is CostType.PERCENT_OF_SERVICES:
        return f"{_plain(price)} % of {_price(quantity, currency)}"
    one, many = _UNITS[cost_type]
    return f"{_plain(quantity)} {one if quantity == 1 else many} × {_price(price, currency)}"


def _price(price: Decimal, currency: str) -> str:
    """At least the currency's digits, and as many more as the price has."""
    places = max(decimal_places(currency), -_exponent(price))
    return f"{price:,.{places}f}"


def _plain(number: Decimal) -> str:
    return f"{number:,.{max(0, -_exponent(number))}f}"


def _exponent(number: Decimal) -> int:
    """Of the number without trailing zeros: -2 for 1.2500."""
    return int(number.normalize().as_tuple().exponent)
