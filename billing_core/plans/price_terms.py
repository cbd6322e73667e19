"""A price of usage as a person gives it, checked."""

from decimal import Decimal
from typing import Final

from billing_core.errors import Invalid
from billing_core.metering.models import PLACES
from billing_core.money import USAGE_PRICE_PLACES, decimal_places, largest_price
from billing_core.plans.pricing import Price, Tier
from billing_core.plans.terms import MAX_INCLUDED, MAX_PRICE_PER_CALL

MAX_TIERS: Final = 50
MAX_UNITS: Final = Decimal(10) ** 12


def check(price: Price) -> None:
    """Invalid names the field at fault, such as ``tiers[1].up_to``."""
    _number(price.per, "per", Decimal(MAX_INCLUDED), PLACES)
    if not price.per:
        raise _invalid("per", "must be more than 0")
    _number(price.included, "included", Decimal(MAX_INCLUDED), PLACES)
    largest, places = largest_price(price.currency).to_integral_value(), decimal_places(price.currency)
    _number(price.minimum, "minimum", largest, places)
    if not 0 < len(price.tiers) <= MAX_TIERS:
        raise _invalid("tiers", f"there must be 1 to {MAX_TIERS}")
    if not price.scheme.tiered and len(price.tiers) > 1:
        raise _invalid("tiers", "only graduated and volume prices have several")
    for place, tier in enumerate(price.tiers):
        _number(tier.unit_price, f"tiers[{place}].unit_price", MAX_PRICE_PER_CALL, USAGE_PRICE_PLACES)
        _number(tier.flat_fee, f"tiers[{place}].flat_fee", largest, places)
    _ends(*price.tiers)


def _ends(*tiers: Tier) -> None:
    *bounded, last = tiers
    reached = Decimal(0)
    for place, tier in enumerate(bounded):
        field = f"tiers[{place}].up_to"
        if tier.up_to is None:
            raise _invalid(field, "may be without an end in the last tier alone")
        _number(tier.up_to, field, MAX_UNITS, PLACES)
        if tier.up_to <= reached:
            raise _invalid(field, "must be greater than in the tier before" if reached else "must be more than 0")
        reached = tier.up_to
    if last.up_to is not None:
        raise _invalid(f"tiers[{len(bounded)}].up_to", "must be without an end in the last tier")


def _number(number: Decimal, field: str, largest: Decimal, places: int) -> None:
    if not number.is_finite() or not 0 <= number <= largest:
        raise _invalid(field, f"must be from 0 to {largest:,}")
    if number != round(number, places):
        raise _invalid(field, f"has more than {places} decimals")


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(f"{field} {reason}", fields={field: reason})
