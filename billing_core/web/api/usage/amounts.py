"""Amounts of money as programs write them: numbers in the major units of a currency."""

from decimal import Decimal

from billing_core.errors import Invalid
from billing_core.money import decimal_places, scaled


def minor(amount: Decimal, currency: str, field: str, *, greatest: int) -> int:
    """In minor units, of more than 0 and at most ``greatest``; Invalid names the field."""
    places = decimal_places(currency)
    most = Decimal(greatest).scaleb(-places)
    if not 0 < amount <= most:
        raise _invalid(field, f"must be more than 0, and at most {most:f}")
    if amount != round(amount, places):
        raise _invalid(field, f"has more than {places} decimals" if places else "must be a whole number")
    return scaled(amount, places)


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(f"{field} {reason}", fields={field: reason})
