"""What organizations used in a month, beside what their plans include, and what it comes to.

Months are of the billing zone's days, as invoices count them; the analytics documents count in UTC.
"""

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, SQLColumnExpression, func, or_, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import matching, visible_to
from billing_core.database.functions import among, equals
from billing_core.database.ordering import chosen, ordered
from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import API_CALLS, Meter, UsageDay, ZoneKind
from billing_core.money import Money, nearest
from billing_core.plans.queries import code_on, was_on_plan
from billing_core.usage import forecast as forecasts
from billing_core.usage.charges import Charge, Rates, charges_of, rates_of
from billing_core.usage.forecast import Forecast
from billing_core.usage.organizations import NO_TIER, Organization

# Organizations that are computed together: enough for few statements, and few enough to be held at once.
CHUNK: Final = 500

CallsByDay = Mapping[date, int]


class Allowance(enum.StrEnum):
    """Who used more than is included, and who will by the month's end."""

    EXCEEDED = "exceeded"
    WILL_EXCEED = "will_exceed"


@dataclass(frozen=True, slots=True)
class OverviewFilter:
    """Organizations with a plan or with usage in the month that begins on ``month``. Empty fields do not limit;
    ``plan`` is the code of the one at the month's end.
    """

    month: date
    text: str = ""
    plan: str = ""
    customer_id: int | None = None
    order_by: str = "name"

    @property
    def period(self) -> Period:
        return Period.month_of(self.month)


@dataclass(frozen=True, slots=True)
class Month:
    """An organization's month. ``charges``: what it used so far and what that costs. Of the present month ``forecast``
    tells the calls at its end, ``expected_over`` how many of them are beyond what is included, ``expected_cost`` what
    they would cost, with the other meters as they are so far; None where nothing is known, and in other months.
    ``exceeded_on`` is the first day with more calls than a segment includes, also one that is expected.
    """

    organization: Organization
    period: Period
    charges: tuple[Charge, ...]
    forecast: Forecast | None
    expected_over: int | None
    expected_cost: Money | None
    exceeded_on: date | None

    @property
    def name(self) -> str:
        return self.organization.name

    @property
    def plan(self) -> str:
        return "" if self.organization.tier == NO_TIER else self.organization.tier

    @property
    def currency(self) -> str:
        return self.organization.currency

    @property
    def calls(self) -> int:
        return int(sum(charge.quantity for charge in self._of_calls))

    @property
    def included_calls(self) -> int:
        return int(sum(charge.included for charge in self._of_calls))

    @property
    def overage_calls(self) -> int:
        """Beyond what is included; those that have no price are a question instead."""
        return int(sum(charge.billable for charge in self._of_calls if not charge.is_question))

    @property
    def questions(self) -> list[Charge]:
        """What was used and cannot be billed."""
        return [charge for charge in self.charges if charge.is_question]

    @property
    def cost(self) -> Money | None:
        """So far; None where nothing has a price."""
        return total(charge.amount for charge in self.charges)

    @property
    def exceeds(self) -> Allowance | None:
        """Whether more was used than is included, or will be."""
        if self.overage_calls > 0:
            return Allowance.EXCEEDED
        return Allowance.WILL_EXCEED if self.expected_over else None

    @property
    def _of_calls(self) -> Iterator[Charge]:
        return (charge for charge in self.charges if charge.meter == API_CALLS)


def count(session: Session, actor: Actor, overview: OverviewFilter) -> int:
    """How many organizations match."""
    rows = _listing(actor, overview).order_by(None).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


def page(
    session: Session,
    actor: Actor,
    overview: OverviewFilter,
    *,
    today: date,
    limit: int = 50,
    offset: int = 0,
) -> list[Month]:
    """One page of them, each with its month. ``today`` is a day of the business's."""
    shown = organizations(session, actor, overview, limit=limit, offset=offset)
    return months(session, shown, overview.period, today=today)


def organizations(
    session: Session, actor: Actor, overview: OverviewFilter, *, limit: int, offset: int
) -> list[Organization]:
    """One page of them alone."""
    return [Organization(*row) for row in session.execute(_listing(actor, overview).limit(limit).offset(offset))]


def each(session: Session, actor: Actor, overview: OverviewFilter, *, today: date) -> Iterator[Month]:
    """All of them, in chunks, for a file."""
    for chunk in session.execute(_listing(actor, overview)).partitions(CHUNK):
        yield from months(session, [Organization(*row) for row in chunk], overview.period, today=today)


def one(session: Session, actor: Actor, organization: Organization, period: Period, *, today: date) -> Month:
    """One organization's month."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.PLAN_READ)
    (month,) = months(session, [organization], period, today=today)
    return month


def months(
    session: Session,
    organizations: Sequence[Organization],
    period: Period,
    *,
    today: date,
    with_range: bool = True,
) -> list[Month]:
    """The month of each, by as many statements for all as for one. The caller has checked the permission."""
    ids = [organization.customer_id for organization in organizations]
    charges = charges_of(session, ids, period)
    since = period.start
    if period.start <= today <= period.end:
        since = forecasts.first_needed(period, with_range=with_range)
    calls = calls_by_day(session, ids, Period(since, period.end))
    rates = rates_of(session, {one.segment.version for of in charges.values() for one in of if one.segment.version})
    return [
        _month(one, period, charges[one.customer_id], calls.get(one.customer_id, {}), rates, today)
        for one in organizations
    ]


def calls_by_day(session: Session, customer_ids: Collection[int], days: Period) -> dict[int, dict[date, int]]:
    """API calls of each of these customers on its days, of the billing zone, that have any."""
    statement = (
        select(UsageDay.customer_id, UsageDay.day, func.sum(type_coerce(UsageDay.calls, BigInteger)))
        .where(among(UsageDay.customer_id, customer_ids), *_api_calls(days))
        .group_by(UsageDay.customer_id, UsageDay.day)
    )
    found: dict[int, dict[date, int]] = {}
    for customer_id, day, calls in session.execute(statement):
        found.setdefault(customer_id, {})[day] = int(calls)
    return found


def total(amounts: Iterable[Money | None]) -> Money | None:
    """The sum of those that are known; None where none is, or where currencies would have to be added."""
    known = [amount for amount in amounts if amount is not None]
    return reduce(add, known) if len({amount.currency for amount in known}) == 1 else None


def _month(
    organization: Organization,
    period: Period,
    charges: Sequence[Charge],
    calls: CallsByDay,
    rates: Rates,
    today: date,
) -> Month:
    days = forecasts.by_day(calls, period, today=today) if period.start <= today <= period.end else None
    segments = [charge.segment for charge in charges if (charge.meter_id, charge.bucket_id) == rates.calls]
    if days is None:
        had = {day: Fraction(number) for day, number in calls.items()}
        exceeded_on = forecasts.exceeded_on(had, segments)
        return Month(organization, period, tuple(charges), None, None, None, exceeded_on)
    expected = list(_expected(charges, days, rates, period))
    others = (charge.amount for charge in charges if charge.meter != API_CALLS)
    return Month(
        organization,
        period,
        tuple(charges),
        forecasts.forecast(calls, period, today=today),
        int(sum(charge.billable for charge in expected if not charge.is_question)),
        total([*(charge.amount for charge in expected), *others]),
        forecasts.exceeded_on(days, segments),
    )


def _expected(
    charges: Sequence[Charge], days: Mapping[date, Fraction], rates: Rates, period: Period
) -> Iterator[Charge]:
    """The charges of calls, had each segment those that are expected of its days, in the buckets as they lie so far."""
    of_calls = [charge for charge in charges if charge.meter == API_CALLS]
    for charge in of_calls:
        segment, place = charge.segment, (charge.meter_id, charge.bucket_id)
        so_far = sum(other.quantity for other in of_calls if other.segment == segment)
        share = Fraction(charge.quantity) / Fraction(so_far) if so_far else Fraction(place == rates.calls)
        calls = share * sum((days[day] for day in segment.days.each_day()), Fraction())
        yield rates.charge(segment, place, Decimal(nearest(*calls.as_integer_ratio())), period)


def _listing(actor: Actor, overview: OverviewFilter) -> Select[*tuple[Any, ...]]:
    """The columns of ``Organization``."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.PLAN_READ)
    period = overview.period
    tier = func.coalesce(code_on(Customer.id, period.end), NO_TIER)
    columns = (Customer.id, Customer.uuid, Customer.ref, Customer.name, Customer.currency, tier)
    statement = select(*columns).where(visible_to(actor), matching(overview.text), _concerned(period))
    if overview.customer_id is not None:
        statement = statement.where(Customer.id == overview.customer_id)
    if overview.plan:
        statement = statement.where(equals(tier, overview.plan))
    keys: dict[str, SQLColumnExpression[Any]] = {
        "name": Customer.name,
        "ref": Customer.ref,
        "plan": tier,
        "calls": calls_in(period),
    }
    (key,) = ordered(overview.order_by, chosen(keys, overview.order_by))
    return statement.order_by(key, Customer.id)


def _concerned(period: Period) -> ColumnElement[bool]:
    """In SQL: the customer was on a plan in the period, or used something inside."""
    used = select(UsageDay.day).where(
        UsageDay.customer_id == Customer.id, UsageDay.zone_kind == ZoneKind.BILLING, period.contains(UsageDay.day)
    )
    return or_(was_on_plan(Customer.id, period), used.exists())


def calls_in(period: Period) -> SQLColumnExpression[int]:
    """In SQL, beside ``Customer``: its API calls on these days of the billing zone."""
    calls = select(func.sum(type_coerce(UsageDay.calls, BigInteger))).where(
        UsageDay.customer_id == Customer.id, *_api_calls(period)
    )
    return func.coalesce(calls.scalar_subquery(), 0)


def _api_calls(days: Period) -> tuple[ColumnElement[bool], ...]:
    meter = select(Meter.id).where(Meter.code == API_CALLS).scalar_subquery()
    return UsageDay.zone_kind == ZoneKind.BILLING, days.contains(UsageDay.day), UsageDay.meter_id == meter
