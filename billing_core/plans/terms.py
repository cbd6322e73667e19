"""The terms of a plan as a person gives them, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from billing_core.errors import Invalid
from billing_core.money import (
    PERCENT_PLACES,
    USAGE_PRICE_PLACES,
    Money,
    currency_code,
    decimal_places,
    largest_price,
    scaled,
)
from billing_core.plans.models import BillingTiming, PlanInterval, TrialEnd
from billing_core.text import needed

# What a seat or an add-on may cost, in minor units: a million of them can be added up in 64 bits.
LARGEST_PART: Final = 10**12
# Exact to the twelfth decimal, more would not fit into the database's integers.
MAX_PRICE_PER_CALL: Final = Decimal(10) ** 6
MAX_INCLUDED: Final = 10**9
MAX_SEATS: Final = 10**6
MAX_PERIODS: Final = 10**4
MAX_PERCENT: Final = Decimal(1_000)
MOST_PARTS: Final = 50
# Ten years, in each interval.
MAX_INTERVALS: Final = {
    PlanInterval.DAY: 3_650,
    PlanInterval.WEEK: 520,
    PlanInterval.MONTH: 120,
    PlanInterval.QUARTER: 40,
    PlanInterval.YEAR: 10,
}


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a plan costs a period in one currency, in major units; ``seat_price`` None: nobody counts seats."""

    price: Decimal
    seat_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AddOn:
    """What can be had beside a plan. ``prices``: of one a period, in major units, by currency."""

    code: str
    name: str
    prices: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Phase:
    """So many paid periods in which ``percent`` of the plan's price is due."""

    periods: int
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Terms:
    """``price`` for each period of ``interval_count`` times the ``interval``, ``seat_price`` for each seat beyond
    ``included_seats``, and ``price_per_call`` for each call beyond ``included_calls``, all in major units of
    ``currency``. ``further``: what it costs in other currencies; add-ons have a price in each. Phases come one after
    the other; afterwards the whole price is due. It ends ``ends_after`` so many paid periods, or never.
    """

    currency: str
    price: Decimal
    included_calls: int
    price_per_call: Decimal
    interval: PlanInterval = PlanInterval.MONTH
    interval_count: int = 1
    timing: BillingTiming = BillingTiming.ADVANCE
    seat_price: Decimal | None = None
    included_seats: int = 0
    trial_end: TrialEnd = TrialEnd.CANCEL
    ends_after: int | None = None
    further: Mapping[str, Amounts] = field(default_factory=dict)
    add_ons: tuple[AddOn, ...] = ()
    phases: tuple[Phase, ...] = ()


def columns(terms: Terms) -> dict[str, Any]:
    """The columns of a version with these terms; Invalid names the field at fault."""
    currency = currency_code(terms.currency)
    _whole(terms.included_calls, "included_calls", 0, MAX_INCLUDED)
    _whole(terms.interval_count, "interval_count", 1, MAX_INTERVALS[terms.interval])
    _whole(terms.included_seats, "included_seats", 0, MAX_SEATS)
    if terms.included_seats and terms.seat_price is None:
        raise _invalid("included_seats", "mean nothing where a seat has no price")
    if terms.ends_after is not None:
        _whole(terms.ends_after, "ends_after", 1, MAX_PERIODS)
    return {
        "currency": currency,
        "price_minor": amount(terms.price, "price", currency),
        "interval": terms.interval,
        "interval_count": terms.interval_count,
        "timing": terms.timing,
        "included_calls": terms.included_calls,
        "price_per_call": _number(terms.price_per_call, "price_per_call", MAX_PRICE_PER_CALL, USAGE_PRICE_PLACES),
        "seat_price_minor": None if terms.seat_price is None else part(terms.seat_price, "seat_price", currency),
        "included_seats": terms.included_seats,
        "trial_end": terms.trial_end,
        "ends_after": terms.ends_after,
    }


def check_parts(terms: Terms, *, has_prices: bool) -> None:
    """Whether the further currencies, add-ons and phases go with the rest; Invalid names the field at fault.

    ``has_prices``: other meters than calls have prices too, which are in the plan's own currency alone.
    """
    own = currency_code(terms.currency)
    _check_further(terms, own)
    if terms.further and (has_prices or terms.price_per_call):
        reason = f"cannot be had where usage has a price, which is in {own} alone: make a plan for each currency"
        raise _invalid("further", reason)
    _check_add_ons(terms.add_ons, {own, *terms.further})
    _check_phases(terms)


def _check_further(terms: Terms, own: str) -> None:
    if len(terms.further) > MOST_PARTS:
        raise _invalid("further", f"are at most {MOST_PARTS} currencies")
    for currency, amounts in terms.further.items():
        if currency != currency_code(currency) or currency == own:
            raise _invalid("further", f"are other currencies than {own}, by their codes: “{currency}” is none")
        amount(amounts.price, f"further[{currency}].price", currency)
        if (amounts.seat_price is None) != (terms.seat_price is None):
            raise _invalid(f"further[{currency}].seat_price", "is needed in each currency or in none")
        if amounts.seat_price is not None:
            part(amounts.seat_price, f"further[{currency}].seat_price", currency)


def _check_add_ons(add_ons: tuple[AddOn, ...], currencies: set[str]) -> None:
    if len(add_ons) > MOST_PARTS:
        raise _invalid("add_ons", f"are at most {MOST_PARTS}")
    codes: set[str] = set()
    for place, add_on in enumerate(add_ons):
        for given, name, longest in ((add_on.code, "code", 64), (add_on.name, "name", 200)):
            if needed(given, f"add_ons[{place}].{name}", longest) != given:
                raise _invalid(f"add_ons[{place}].{name}", "begins or ends with a space")
        if add_on.code in codes:
            raise _invalid(f"add_ons[{place}].code", f"“{add_on.code}” is there twice")
        codes.add(add_on.code)
        if set(add_on.prices) != currencies:
            raise _invalid(
                f"add_ons[{place}].prices", f"are needed in {', '.join(sorted(currencies))}, and in no other"
            )
        for currency, price in add_on.prices.items():
            part(price, f"add_ons[{place}].prices[{currency}]", currency)


def _check_phases(terms: Terms) -> None:
    if len(terms.phases) > MOST_PARTS:
        raise _invalid("phases", f"are at most {MOST_PARTS}")
    for place, phase in enumerate(terms.phases):
        _whole(phase.periods, f"phases[{place}].periods", 1, MAX_PERIODS)
        _number(phase.percent, f"phases[{place}].percent", MAX_PERCENT, PERCENT_PLACES)
    if terms.ends_after is not None and sum(phase.periods for phase in terms.phases) > terms.ends_after:
        raise _invalid("phases", f"last longer than the plan, which ends after {terms.ends_after} periods")


def facts(terms: Terms) -> dict[str, Any]:
    """All of the terms as the audit log keeps them: a version's columns, and what is kept beside it as texts."""
    return columns(terms) | {
        "further": {
            currency: _texts(price=amounts.price, seat_price=amounts.seat_price)
            for currency, amounts in sorted(terms.further.items())
        },
        "add_ons": [
            {"code": one.code, "name": one.name, "prices": _texts(**dict(sorted(one.prices.items())))}
            for one in sorted(terms.add_ons, key=lambda one: one.code)
        ],
        "phases": [{"periods": phase.periods, **_texts(percent=phase.percent)} for phase in terms.phases],
    }


def amount(number: Decimal, name: str, currency: str) -> int:
    """What a plan costs, in minor units; Invalid says this name."""
    return _minor(number, name, currency, largest_price(currency))


def part(number: Decimal, name: str, currency: str) -> int:
    """What a seat or an add-on costs, in minor units; Invalid says this name."""
    return _minor(number, name, currency, Money(LARGEST_PART, currency).amount)


def _minor(number: Decimal, name: str, currency: str, largest: Decimal) -> int:
    places = decimal_places(currency)
    return scaled(_number(number, name, largest.to_integral_value(), places), places)


def _texts(**numbers: Decimal | None) -> dict[str, str | None]:
    return {name: None if number is None else f"{number.normalize():f}" for name, number in numbers.items()}


def _whole(number: int, name: str, least: int, most: int) -> None:
    if not least <= number <= most:
        raise _invalid(name, f"must be from {least} to {most:,}")


def _number(number: Decimal, field: str, largest: Decimal, places: int) -> Decimal:
    if not number.is_finite() or not 0 <= number <= largest:
        raise _invalid(field, f"must be from 0 to {largest:,}")
    if number != round(number, places):
        raise _invalid(field, f"has more than {places} decimals")
    return number


def _invalid(field: str, reason: str) -> Invalid:
    return Invalid(f"{field} {reason}", fields={field: reason})
