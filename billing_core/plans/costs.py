"""What a plan comes to at given use: the lines of a paid period, and what usage costs. Without tax and promo codes."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.errors import Invalid, NotFound
from billing_core.metering.models import API_CALLS
from billing_core.plans import prices, pricing, queries
from billing_core.plans.models import PlanVersion
from billing_core.plans.offers import Offer
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Priced
from billing_core.plans.segments import price_of_calls


class CostOf(enum.StrEnum):
    """What a line of a paid period is for."""

    PLAN = "plan"
    SEATS = "seats"
    ADD_ON = "add_on"


@dataclass(frozen=True, slots=True)
class Line:
    """``unit_minor``: minor units of the offer's currency. ``name``: of the plan or the add-on."""

    of: CostOf
    name: str
    quantity: int
    unit_minor: int

    @property
    def amount_minor(self) -> int:
        return self.quantity * self.unit_minor


def of_period(offer: Offer, period_number: int, *, seats: int, add_ons: Mapping[str, int]) -> list[Line]:
    """Of this paid period, the first of which is 0. ``add_ons``: how many of each, by their codes; Invalid."""
    if seats < 0:
        raise Invalid("There cannot be fewer than 0 seats", fields={"seats": "must not be negative"})
    lines = [Line(CostOf.PLAN, offer.name, 1, offer.price_in(period_number))]
    if paid := offer.paid_seats(seats):
        lines.append(Line(CostOf.SEATS, offer.name, paid, offer.seat_price_minor or 0))
    for code, quantity in add_ons.items():
        add_on = offer.add_on(code)
        if quantity < 0:
            reason = f"there cannot be fewer than 0 of “{code}”"
            raise Invalid(f"Of add-ons {reason}", fields={"add_ons": reason})
        if quantity:
            lines.append(Line(CostOf.ADD_ON, add_on.name, quantity, add_on.price_minor))
    return lines


def prices_of_usage(session: Session, version_id: int) -> dict[Metered, Price]:
    """What calls and other meters cost on the version, by codes, calls first; NotFound."""
    row = session.execute(queries.versions().where(PlanVersion.id == version_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no version {version_id} of a plan")
    calls = price_of_calls(queries.Version(*row))
    return {Metered(API_CALLS): calls, **prices.of_version(session, version_id)}


def of_usage(session: Session, version_id: int, used: Mapping[Metered, Decimal]) -> dict[Metered, Priced]:
    """What such quantities of a whole period of usage cost; Invalid where one has no price, or is negative."""
    known = prices_of_usage(session, version_id)
    for metered, quantity in used.items():
        if metered not in known:
            raise Invalid(f"{metered} has no price", fields={"usage": f"{metered} has no price"})
        if not quantity.is_finite() or quantity < 0:
            raise Invalid(f"{metered} must not be negative", fields={"usage": f"{metered} must not be negative"})
    return {metered: pricing.priced(known[metered], quantity) for metered, quantity in used.items()}
