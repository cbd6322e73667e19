"""What whole periods cost by versions of a plan, in SQL: the plan by its phase, seats, add-ons; without tax and usage.

Offers say what that is, and stand beside the subscriptions as rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from sqlalchemy import CTE, BigInteger, ColumnElement, Integer, String, and_, case, cast, func, select
from sqlalchemy.orm import Session

from billing_core.database.functions import Columns, as_rows, number_in
from billing_core.plans.offers import Offer

# Beyond the numbers that periods have.
_NO_END: Final = 2**31 - 1
_PRICES: Final[Columns] = {
    "version_id": Integer(),
    "currency": String(),
    "first_number": Integer(),
    "last_number": Integer(),
    "price_minor": BigInteger(),
    "seat_price_minor": BigInteger(),
    "included_seats": Integer(),
    "has_seats": Integer(),
}
_ADD_ONS: Final[Columns] = {
    "version_id": Integer(),
    "currency": String(),
    "code": String(),
    "price_minor": BigInteger(),
}


@dataclass(frozen=True, slots=True)
class Prices:
    """As rows: ``plan`` of each version, currency and phase, ``add_ons`` of each version and currency."""

    plan: CTE
    add_ons: CTE

    @classmethod
    def of(cls, session: Session, offers: Sequence[Offer]) -> "Prices":
        add_ons = (
            (one.version_id, one.currency, add_on.code, add_on.price_minor) for one in offers for add_on in one.add_ons
        )
        return cls(
            as_rows(session, "plan_prices_by_phase", _PRICES, (row for one in offers for row in _by_phase(one))),
            as_rows(session, "add_on_prices", _ADD_ONS, add_ons),
        )


def holds(prices: Any, version_id: Any, standing: Any) -> ColumnElement[bool]:
    """The row of prices is that of the version, in the currency and the period of ``standing``."""
    return and_(
        prices.c.version_id == version_id,
        prices.c.currency == standing.c.currency,
        prices.c.first_number <= standing.c.period_number,
        prices.c.last_number >= standing.c.period_number,
    )


def whole_price(prices: Any, add_ons: CTE, standing: Any) -> ColumnElement[int]:
    """In minor units; NULL where there is no row of prices."""
    beyond = standing.c.seats - prices.c.included_seats
    seats = prices.c.seat_price_minor * case((beyond > 0, beyond), else_=0)
    beside = add_ons.alias()
    found = (
        select(func.sum(beside.c.price_minor * number_in(standing.c.add_ons, beside.c.code)))
        .where(beside.c.version_id == prices.c.version_id, beside.c.currency == standing.c.currency)
        .correlate(prices, standing)
    )
    # PostgreSQL's sum of them would be no integer.
    price: ColumnElement[int] = prices.c.price_minor + seats
    return price + cast(func.coalesce(found.scalar_subquery(), 0), BigInteger)


def _by_phase(offer: Offer) -> Iterator[tuple[Any, ...]]:
    ends = list(accumulate(phase.periods for phase in offer.phases))
    for first, end in zip([0, *ends], [*ends, _NO_END], strict=True):
        yield (
            *(offer.version_id, offer.currency, first, end - 1, offer.price_in(first)),
            *(offer.seat_price_minor or 0, offer.included_seats, int(offer.seat_price_minor is not None)),
        )
