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
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, SQLColumnExpression, func, select, type_coerce
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import matching, visible_to
from billing_core.database.functions import among, equals
from billing_core.database.ordering import chosen, natural, ordered
from billing_core.dates import Period
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import API_CALLS, NO_BUCKET, Meter, UsageDay, ZoneKind
from billing_core.money import Money, nearest
from billing_core.plans import queries as plans
from billing_core.plans.queries import code_on
from billing_core.usage import forecast as forecasts
from billing_core.usage.charges import Charge, Rates, charges_on, has_usage, rates_on
from billing_core.usage.forecast import Forecast
from billing_core.usage.organizations import NO_TIER, Organization

# Organizations that are computed together: enough for few statements, and few enough to be held at once.
CHUNK: Final = 500

CallsByDay = Mapping[date, int]


class _Days(NamedTuple):
    """API calls of one customer by day: all of them, and those of the month in each bucket by its id."""

    calls: CallsByDay
    buckets: Mapping[int, CallsByDay]

    def of(self, charge: Charge) -> CallsByDay:
        """Those in the charge's bucket."""
        return self.buckets.get(charge.bucket_id, {})


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
    tells the calls at its end, ``expected_over`` how many of them exceed an allowance, ``expected_cost`` what they
    would cost, with the other meters as they are so far; None where nothing is known, and in other months.
    ``exceeded_on`` is the first day on which an allowance is exceeded, that of a bucket in a segment; also an expected
    one.
    """

    organization: Organization
    period: Period
    charges: tuple[Charge, ...]
    forecast: Forecast | None
    expected_over: int | None
    expected_cost: Money | None
    exceeded_on: date | None
    is_over: bool

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
    def calls_with_allowance(self) -> int:
        """Those of which some are included."""
        return int(sum(charge.quantity for charge in self._of_calls if charge.included))

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
        """So far; None where nothing has a price. What minimums add is owed once the month is over."""
        return total(charge.amount if self.is_over else charge.without_minimum for charge in self.charges)

    @property
    def true_up(self) -> Money | None:
        """What minimums will add to ``cost`` if nothing more is used; None where they add nothing."""
        owed, cost = total(charge.amount for charge in self.charges), self.cost
        return None if owed is None or cost is None or owed == cost else owed - cost

    @property
    def exceeds(self) -> Allowance | None:
        """Whether an allowance was exceeded, or will be."""
        if any(charge.exceeds_allowance for charge in self._of_calls):
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


def months(session: Session, organizations: Sequence[Organization], period: Period, *, today: date) -> list[Month]:
    """The month of each, by as many statements for all as for one. The caller has checked the permission."""
    ids = [organization.customer_id for organization in organizations]
    on_plans = plans.on_plans(session, ids, period)
    rates = rates_on(session, on_plans)
    charges = charges_on(session, on_plans, rates, ids, period)
    if period.start <= today <= period.end:
        calls = calls_by_day(session, ids, Period(forecasts.first_needed(period), period.end))
    else:
        # Days only tell when an allowance was exceeded.
        exceeding = [id_ for id_, of in charges.items() if any(one.exceeds_allowance for one in of)]
        calls = calls_by_day(session, exceeding, period)
    buckets = {customer_id: {NO_BUCKET: of_customer} for customer_id, of_customer in calls.items()}
    if any(one.meter == API_CALLS and one.bucket_id != NO_BUCKET for of in charges.values() for one in of):
        buckets = calls_by_bucket(session, ids, period)
    return [
        _month(
            one,
            period,
            charges[one.customer_id],
            _Days(calls.get(one.customer_id, {}), buckets.get(one.customer_id, {})),
            rates,
            today,
        )
        for one in organizations
    ]


def calls_by_day(session: Session, customer_ids: Collection[int], days: Period) -> dict[int, dict[date, int]]:
    """API calls of each of these customers on its days, of the billing zone, that have any."""
    statement = (
        select(UsageDay.customer_id, UsageDay.day, func.sum(type_coerce(UsageDay.calls, BigInteger)))
        .where(among(UsageDay.customer_id, customer_ids), *of_api_calls(days))
        .group_by(UsageDay.customer_id, UsageDay.day)
    )
    found: dict[int, dict[date, int]] = {}
    for customer_id, day, calls in session.execute(statement):
        found.setdefault(customer_id, {})[day] = int(calls)
    return found


def calls_by_bucket(
    session: Session, customer_ids: Collection[int], days: Period
) -> dict[int, dict[int, dict[date, int]]]:
    """``calls_by_day``, of each bucket by its id."""
    statement = (
        select(
            UsageDay.customer_id, UsageDay.bucket_id, UsageDay.day, func.sum(type_coerce(UsageDay.calls, BigInteger))
        )
        .where(among(UsageDay.customer_id, customer_ids), *of_api_calls(days))
        .group_by(UsageDay.customer_id, UsageDay.bucket_id, UsageDay.day)
    )
    found: dict[int, dict[int, dict[date, int]]] = {}
    for customer_id, bucket_id, day, calls in session.execute(statement):
        found.setdefault(customer_id, {}).setdefault(bucket_id, {})[day] = int(calls)
    return found


def total(amounts: Iterable[Money | None]) -> Money | None:
    """The sum of those that are known; None where none is, or where currencies would have to be added."""
    known = [amount for amount in amounts if amount is not None]
    return reduce(add, known) if len({amount.currency for amount in known}) == 1 else None


def _month(
    organization: Organization,
    period: Period,
    charges: Sequence[Charge],
    known: _Days,
    rates: Rates,
    today: date,
) -> Month:
    of_calls = [charge for charge in charges if charge.meter == API_CALLS]
    exceeded = [_exceeded_on(charge, known.of(charge)) for charge in of_calls if charge.exceeds_allowance]
    days = forecasts.by_day(known.calls, period, today=today) if period.start <= today <= period.end else None
    is_over = period.end < today
    if days is None:
        return Month(organization, period, tuple(charges), None, None, None, min(exceeded, default=None), is_over)
    coming = {day: number - known.calls.get(day, 0) for day, number in days.items()}
    shares = [_share(charge, of_calls, rates) for charge in of_calls]
    expected = [_expected(charge, share, days, rates, period) for charge, share in zip(of_calls, shares, strict=True)]
    if not exceeded:
        exceeded = [
            _exceeded_on(charge, {day: known.of(charge).get(day, 0) + share * more for day, more in coming.items()})
            for charge, share in zip(expected, shares, strict=True)
            if charge.exceeds_allowance
        ]
    others = (charge.amount for charge in charges if charge.meter != API_CALLS)
    return Month(
        organization,
        period,
        tuple(charges),
        forecasts.forecast(known.calls, period, today=today),
        int(sum(charge.billable for charge in expected if charge.exceeds_allowance)),
        total([*(charge.amount for charge in expected), *others]),
        min(exceeded, default=None),
        is_over,
    )


def _share(charge: Charge, of_calls: Sequence[Charge], rates: Rates) -> Fraction:
    """As much of its segment's calls lies in the charge's bucket so far, and is expected there of those to come."""
    so_far = sum(other.quantity for other in of_calls if other.segment == charge.segment)
    if so_far:
        return Fraction(charge.quantity) / Fraction(so_far)
    return Fraction((charge.meter_id, charge.bucket_id) == rates.calls)


def _expected(charge: Charge, share: Fraction, days: Mapping[date, Fraction], rates: Rates, period: Period) -> Charge:
    """The charge of calls, had its segment those that are expected of its days."""
    calls = share * sum((days[day] for day in charge.segment.days.each_day()), Fraction())
    quantity = Decimal(nearest(*calls.as_integer_ratio()))
    return rates.charge(charge.segment, (charge.meter_id, charge.bucket_id), quantity, period)


def _exceeded_on(charge: Charge, days: Mapping[date, Fraction | int]) -> date:
    """The first day beyond what the charge includes; the last where only rounding to a whole call is beyond it."""
    return forecasts.exceeded_on(days, charge.segment.days, charge.included) or charge.segment.last_day


def _listing(actor: Actor, overview: OverviewFilter) -> Select[*tuple[Any, ...]]:
    """The columns of ``Organization``."""
    actor.require(Permission.USAGE_READ)
    actor.require(Permission.PLAN_READ)
    period = overview.period
    tier = func.coalesce(code_on(Customer.id, period.end), NO_TIER)
    columns = (Customer.id, Customer.uuid, Customer.ref, Customer.name, Customer.currency, tier)
    statement = select(*columns).where(visible_to(actor), matching(overview.text), has_usage(period))
    if overview.customer_id is not None:
        statement = statement.where(Customer.id == overview.customer_id)
    if overview.plan:
        statement = statement.where(equals(tier, overview.plan))
    keys: dict[str, SQLColumnExpression[Any]] = {
        "name": Customer.name_order,
        "ref": Customer.ref_order,
        "plan": natural(tier),
        "calls": calls_in(period),
    }
    (key,) = ordered(overview.order_by, chosen(keys, overview.order_by))
    return statement.order_by(key, Customer.id)


def calls_in(period: Period) -> SQLColumnExpression[int]:
    """In SQL, beside ``Customer``: its API calls on these days of the billing zone."""
    calls = select(func.sum(type_coerce(UsageDay.calls, BigInteger))).where(
        UsageDay.customer_id == Customer.id, *of_api_calls(period)
    )
    return func.coalesce(calls.scalar_subquery(), 0)


def of_api_calls(days: Period) -> tuple[ColumnElement[bool], ...]:
    """In SQL: the ``UsageDay`` is one of these days of the billing zone, of API calls."""
    meter = select(Meter.id).where(Meter.code == API_CALLS).scalar_subquery()
    return UsageDay.zone_kind == ZoneKind.BILLING, days.contains(UsageDay.day), UsageDay.meter_id == meter
