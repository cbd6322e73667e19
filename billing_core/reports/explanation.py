"""A charge in words: what was counted, at which price, and which bound decided."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing_core.money import QUANTITY_PLACES, Money, decimal_places, scaled
from billing_core.rating.models import CostType, TierMode
from billing_core.rating.slices import graduated
from billing_core.rating.terms import tiers_of

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
    if tier_mode is TierMode.GRADUATED and tiers and tier is not None:
        slices = graduated(tiers_of(tiers), [(tier, 1, scaled(quantity, QUANTITY_PLACES))])
        terms = [_term(cost_type, one.units, one.unit_price, currency) for one in slices]
        exact = sum((_exact(cost_type, one.units, one.unit_price) for one in slices), Decimal(0))
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
