"""What a version of a plan costs in a currency: what a subscription to it pays each period, besides usage."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Select, String, and_, bindparam, case, or_, select
from sqlalchemy.orm import Session

from billing_core.errors import Invalid, NotFound
from billing_core.money import PERCENT_PLACES, nearest, scaled
from billing_core.plans import parts
from billing_core.plans.models import (
    BillingTiming,
    Plan,
    PlanAddOn,
    PlanAddOnAmount,
    PlanAmount,
    PlanInterval,
    PlanPrice,
    PlanVersion,
    TrialEnd,
)
from billing_core.plans.terms import Phase

_WHOLE: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class OfferedAddOn:
    """``price_minor`` for one of it each period."""

    code: str
    name: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A version's terms in one currency, in its minor units; the rest as in ``PlanVersion``. ``has_usage``: calls or
    other meters have a price.
    """

    version_id: int
    code: str
    name: str
    number: int
    currency: str
    price_minor: int
    seat_price_minor: int | None
    included_seats: int
    timing: BillingTiming
    interval: PlanInterval
    interval_count: int
    trial_end: TrialEnd
    ends_after: int | None
    has_usage: bool
    add_ons: tuple[OfferedAddOn, ...]
    phases: tuple[Phase, ...]

    def percent_in(self, period_number: int) -> Decimal:
        """How much of the price is due in this paid period, the first of which is 0."""
        if period_number < 0:
            raise ValueError(f"there is no paid period {period_number}")
        ends = accumulate(phase.periods for phase in self.phases)
        reached = (phase.percent for phase, end in zip(self.phases, ends, strict=True) if period_number < end)
        return next(reached, _WHOLE)

    def price_in(self, period_number: int) -> int:
        """The plan's price in this paid period, the first of which is 0: without seats, add-ons and usage."""
        percent = scaled(self.percent_in(period_number), PERCENT_PLACES)
        return nearest(self.price_minor * percent, 100 * 10**PERCENT_PLACES)

    def paid_seats(self, seats: int) -> int:
        """How many of the seats cost something."""
        return 0 if self.seat_price_minor is None else max(seats - self.included_seats, 0)

    def add_on(self, code: str) -> OfferedAddOn:
        """Invalid where it has no such add-on."""
        for one in self.add_ons:
            if one.code == code:
                return one
        raise Invalid(f"The plan {self.code} has no add-on “{code}”", fields={"add_ons": f"has no “{code}”"})


def offer(session: Session, version_id: int, currency: str) -> Offer:
    """What the version costs in the currency; NotFound, Invalid where it cannot be had in it."""
    row = session.execute(_OFFER, {"version_id": version_id, "currency": currency}).one_or_none()
    if row is None:
        raise NotFound(f"There is no version {version_id} of a plan")
    version, code, name, sold, price_minor, seat_price_minor, has_usage = row
    if not sold:
        raise Invalid(f"The plan {code} has no price in {currency}", fields={"currency": "is none of the plan's"})
    if has_usage and currency != version.currency:
        reason = f"must be {version.currency}, in which the plan's usage has a price"
        raise Invalid(f"The currency of the plan {code} {reason}", fields={"currency": reason})
    return Offer(
        version_id=version_id,
        code=code,
        name=name,
        number=version.number,
        currency=currency,
        price_minor=price_minor,
        seat_price_minor=seat_price_minor,
        included_seats=version.included_seats,
        timing=version.timing,
        interval=version.interval,
        interval_count=version.interval_count,
        trial_end=version.trial_end,
        ends_after=version.ends_after,
        has_usage=bool(has_usage),
        add_ons=_add_ons(session, version_id, currency),
        phases=parts.phases(session, version_id),
    )


def has_usage_price(version: type[PlanVersion]) -> ColumnElement[bool]:
    """In SQL: calls or other meters have a price by the version, which may be an alias."""
    has_prices = select(PlanPrice.id).where(PlanPrice.plan_version_id == version.id).exists()
    return or_(version.price_per_call > 0, has_prices)


def _add_ons(session: Session, version_id: int, currency: str) -> tuple[OfferedAddOn, ...]:
    rows = session.execute(_ADD_ONS, {"version_id": version_id, "currency": currency})
    return tuple(OfferedAddOn(*row) for row in rows)


def _offer() -> Select[*tuple[Any, ...]]:
    currency = bindparam("currency", type_=String)
    own = PlanVersion.currency == currency
    in_other = and_(PlanAmount.plan_version_id == PlanVersion.id, PlanAmount.currency == currency)
    return (
        select(
            PlanVersion,
            Plan.code,
            Plan.name,
            or_(own, PlanAmount.currency.is_not(None)),
            case((own, PlanVersion.price_minor), else_=PlanAmount.price_minor),
            case((own, PlanVersion.seat_price_minor), else_=PlanAmount.seat_price_minor),
            has_usage_price(PlanVersion),
        )
        .join_from(PlanVersion, Plan, Plan.id == PlanVersion.plan_id)
        .outerjoin(PlanAmount, in_other)
        .where(PlanVersion.id == bindparam("version_id", type_=Integer))
    )


# Put together once, which takes longer than carrying it out.
_OFFER = _offer()
_ADD_ONS = (
    select(PlanAddOn.code, PlanAddOn.name, PlanAddOnAmount.price_minor)
    .join(PlanAddOnAmount, PlanAddOnAmount.add_on_id == PlanAddOn.id)
    .where(
        PlanAddOn.plan_version_id == bindparam("version_id", type_=Integer),
        PlanAddOnAmount.currency == bindparam("currency", type_=String),
    )
    .order_by(PlanAddOn.id)
)
