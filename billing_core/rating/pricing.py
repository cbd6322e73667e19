"""What a person sets for a rate, checked: price, bounds, SKUs, tiers and conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_core.errors import Invalid
from billing_core.money import PRICE_PLACES, Money, decimal_places, largest_amount, largest_price
from billing_core.orders.models import sku_key
from billing_core.rating import conditions, tiers
from billing_core.rating.models import TierMode
from billing_core.text import control_character

MAX_SKUS = 1_000
LONGEST_SKU = 100

# The columns of a rate that say what it costs, as ``columns`` makes them.
TERMS = ("unit_price", "currency", "minimum_minor", "maximum_minor", "skus", "tier_mode", "tiers", "conditions")


@dataclass(frozen=True, slots=True)
class Pricing:
    """``unit_price``, ``minimum`` and ``maximum`` are in major units of the customer's currency. For
    percent_of_services ``unit_price`` is the percent. ``tiers`` and ``condition`` are what their ``parse`` takes. With
    tiers, their prices apply and ``unit_price`` is only stored.
    """

    unit_price: Decimal
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    skus: Sequence[str] = ()
    tier_mode: TierMode = TierMode.GRADUATED
    tiers: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    condition: str | Mapping[str, Any] | None = None


def columns(pricing: Pricing, currency: str) -> dict[str, Any]:
    """The columns of a rate with this pricing; Invalid names the field at fault."""
    stepped = tiers.parse(pricing.tiers, mode=pricing.tier_mode)
    minimum = _bound(pricing.minimum, currency, "minimum")
    maximum = _bound(pricing.maximum, currency, "maximum")
    if minimum is not None and maximum is not None and maximum < minimum:
        raise _invalid("maximum", "is below the minimum")
    return {
        "unit_price": _price(pricing.unit_price, currency),
        "currency": currency,
        "minimum_minor": minimum,
        "maximum_minor": maximum,
        "skus": _skus(pricing.skus),
        "tier_mode": stepped.mode if stepped else None,
        "tiers": stepped.rows if stepped else None,
        "conditions": conditions.parse(pricing.condition),
    }


def _price(price: Decimal, currency: str) -> Decimal:
    _refuse_outside(price, largest_price(currency), "unit_price")
    if price != round(price, PRICE_PLACES):
        raise _invalid("unit_price", f"has more than {PRICE_PLACES} decimals")
    return price


def _bound(amount: Decimal | None, currency: str, field: str) -> int | None:
    if amount is None:
        return None
    _refuse_outside(amount, largest_amount(currency), field)
    money = Money.rounded(amount, currency)
    if money.amount != amount:
        raise _invalid(field, f"has more decimals than {currency} has ({decimal_places(currency)})")
    return money.minor


def _refuse_outside(number: Decimal, largest: Decimal, field: str) -> None:
    if not number.is_finite() or not 0 <= number <= largest:
        raise _invalid(field, f"must be from 0 to {largest:,.0f}")


def _skus(skus: Sequence[str]) -> list[str] | None:
    keys = sorted({sku_key(sku) for sku in skus if sku.strip()})
    if len(keys) > MAX_SKUS:
        raise _invalid("skus", f"names more than {MAX_SKUS:,} SKUs")
    for key in keys:
        if len(key) > LONGEST_SKU:
            raise _invalid("skus", f"“{key[:40]}…” is longer than {LONGEST_SKU} characters")
        if character := control_character(key):
            raise _invalid("skus", f"{key[:40]!r} contains the control character {character}")
    return keys or None


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(f"{field}: {reason}", fields={field: reason})
