"""The terms of a plan as a person gives them, checked."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from billing_core.errors import Invalid
from billing_core.money import USAGE_PRICE_PLACES, currency_code, decimal_places, scaled
from billing_core.plans.models import PlanInterval

MAX_PRICE: Final = Decimal(10) ** 9
# Exact to the twelfth decimal, more would not fit into the database's integers.
MAX_PRICE_PER_CALL: Final = Decimal(10) ** 6
MAX_INCLUDED: Final = 10**9

# The columns of a version that say what it costs, as ``columns`` makes them.
TERMS: Final = ("currency", "price_minor", "interval", "included_calls", "price_per_call")


@dataclass(frozen=True, slots=True)
class Terms:
    """``price`` for each ``interval`` and ``price_per_call`` for each call beyond ``included_calls``, both in major
    units of ``currency``.
    """

    currency: str
    price: Decimal
    included_calls: int
    price_per_call: Decimal
    interval: PlanInterval = PlanInterval.MONTH


def columns(terms: Terms) -> dict[str, Any]:
    """The columns of a version with these terms; Invalid names the field at fault."""
    currency = currency_code(terms.currency)
    places = decimal_places(currency)
    if not 0 <= terms.included_calls <= MAX_INCLUDED:
        raise _invalid("included_calls", f"must be from 0 to {MAX_INCLUDED:,}")
    return {
        "currency": currency,
        "price_minor": scaled(_number(terms.price, "price", MAX_PRICE, places), places),
        "interval": terms.interval,
        "included_calls": terms.included_calls,
        "price_per_call": _number(terms.price_per_call, "price_per_call", MAX_PRICE_PER_CALL, USAGE_PRICE_PLACES),
    }


def _number(number: Decimal, field: str, largest: Decimal, places: int) -> Decimal:
    if not number.is_finite() or not 0 <= number <= largest:
        raise _invalid(field, f"must be from 0 to {largest:,}")
    if number != round(number, places):
        raise _invalid(field, f"has more than {places} decimals")
    return number


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(f"{field} {reason}", fields={field: reason})
