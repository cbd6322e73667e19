"""A promo code as a person gives it, checked."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from billing_core.dates import EARLIEST_DAY, LATEST_DAY
from billing_core.errors import Invalid
from billing_core.money import PERCENT_PLACES, currency_code, decimal_places, largest_price, scaled
from billing_core.promotions.models import LONGEST_CODE, PromoDuration
from billing_core.text import needed

MAX_PERIODS: Final = 1_000
MAX_LIMIT: Final = 10**9


@dataclass(frozen=True, slots=True)
class NewCode:
    """``percent`` of the price or ``amount`` in major units of ``currency``, for the plan of this code or, where it is
    empty, for all. ``valid_to`` is the last day. None: not limited.
    """

    code: str
    plan_code: str = ""
    percent: Decimal | None = None
    amount: Decimal | None = None
    currency: str = ""
    duration: PromoDuration = PromoDuration.ONCE
    periods: int | None = None
    limit: int | None = None
    limit_per_customer: int | None = None
    valid_to: date | None = None


def key_of(code: str) -> str:
    """By which a code is found: trimmed, without regard to case."""
    return code.strip().casefold()


def code_of(text: str) -> str:
    """A code as it is kept, trimmed: people type it, and it is part of addresses. Invalid where it cannot be one."""
    code = needed(text, "code", LONGEST_CODE)
    if any(letter.isspace() or letter in "/\\" for letter in code) or not code.strip("."):
        raise _invalid("code", "must have no spaces and no slashes, and be more than dots")
    return code


def columns(new: NewCode) -> dict[str, Any]:
    """The columns of a code as given, but for its plan; Invalid names the field at fault."""
    code = code_of(new.code)
    if new.valid_to is not None and not EARLIEST_DAY <= new.valid_to <= LATEST_DAY:
        raise _invalid("valid_to", f"must be from {EARLIEST_DAY} to {LATEST_DAY}")
    return {
        "code": code,
        "key": key_of(code),
        **_reduction(new),
        "duration": new.duration,
        "periods": _periods(new),
        "limit": _count(new.limit, "limit", MAX_LIMIT),
        "limit_per_customer": _count(new.limit_per_customer, "limit_per_customer", MAX_LIMIT),
        "valid_to": new.valid_to,
    }


def _reduction(new: NewCode) -> dict[str, Any]:
    if new.percent is not None and new.amount is not None:
        raise _invalid("amount", "cannot be beside a percent: a code has one of the two")
    if new.percent is not None:
        if new.currency.strip():
            raise _invalid("currency", "is of an amount alone, not of a percent")
        _number(new.percent, "percent", Decimal(100), PERCENT_PLACES)
        return {"percent": new.percent, "amount_minor": None, "currency": None}
    if new.amount is None:
        raise _invalid("percent", "or an amount is needed")
    if not new.currency.strip():
        raise _invalid("currency", "is needed for an amount")
    try:
        currency = currency_code(new.currency)
    except Invalid as unknown:
        raise Invalid(str(unknown), fields={"currency": str(unknown)}) from None
    places = decimal_places(currency)
    amount = _number(new.amount, "amount", largest_price(currency).to_integral_value(), places)
    return {"percent": None, "amount_minor": scaled(amount, places), "currency": currency}


def _periods(new: NewCode) -> int | None:
    if new.duration is PromoDuration.PERIODS:
        if new.periods is None:
            raise _invalid("periods", "are needed: for how many billing periods?")
        return _count(new.periods, "periods", MAX_PERIODS)
    if new.periods is not None:
        raise _invalid("periods", "are of the duration “periods” alone")
    return None


def _count(number: int | None, field: str, greatest: int) -> int | None:
    if number is not None and not 1 <= number <= greatest:
        raise _invalid(field, f"must be from 1 to {greatest:,}")
    return number


def _number(number: Decimal, field: str, largest: Decimal, places: int) -> Decimal:
    if not number.is_finite() or not 0 < number <= largest:
        raise _invalid(field, f"must be more than 0, at most {largest:,}")
    if number != round(number, places):
        raise _invalid(field, f"has more than {places} decimals")
    return number


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(f"{field} {reason}", fields={field: reason})
