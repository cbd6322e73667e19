"""Reads of plans: their latest terms, and what a customer was on in a period."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Date, ScalarSelect, Select, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from billing_core.database.engine import Reads, connection_of
from billing_core.database.functions import among, equals
from billing_core.dates import Period
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.plans.models import CustomerPlan, Plan, PlanInterval, PlanVersion


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a plan. ``price_minor`` is minor units of ``currency``; ``price_per_call`` is in major units.
    ``in_trial``: somebody is on it in a trial, in which usage costs nothing.
    """

    id: int
    plan_id: int
    code: str
    name: str
    number: int
    currency: str
    price_minor: int
    interval: PlanInterval
    included_calls: int
    price_per_call: Decimal
    in_trial: bool = False


class OnPlan(NamedTuple):
    """The customer was on this version on these days, both included."""

    first_day: date
    last_day: date
    version: Version


# Those of ``Version``.
_COLUMNS = (
    PlanVersion.id,
    PlanVersion.plan_id,
    Plan.code,
    Plan.name,
    PlanVersion.number,
    PlanVersion.currency,
    PlanVersion.price_minor,
    PlanVersion.interval,
    PlanVersion.included_calls,
    PlanVersion.price_per_call,
)


def versions() -> Select[*tuple[Any, ...]]:
    """Selects the columns of ``Version``."""
    return select(*_COLUMNS).join_from(PlanVersion, Plan, Plan.id == PlanVersion.plan_id)


def latest_number() -> ScalarSelect[int]:
    """In SQL, beside ``Plan``: the number of its latest version."""
    of_plan = aliased(PlanVersion)
    return select(func.max(of_plan.number)).where(of_plan.plan_id == Plan.id).correlate(Plan).scalar_subquery()


def latest(session: Session, actor: Actor, code: str) -> Version:
    """The version that a customer who is put on the plan now gets; NotFound."""
    actor.require(Permission.PLAN_READ)
    statement = versions().where(equals(Plan.code, code), PlanVersion.number == latest_number())
    row = session.execute(statement).one_or_none()
    if row is None:
        raise NotFound(f"There is no plan {code}")
    return Version(*row)


def must_be_one(session: Session, actor: Actor, code: str, field: str = "plan") -> None:
    """Invalid where a filter asks for a plan that there is not; an empty one asks for none. Whoever sees one customer
    alone is not told which plans others have.
    """
    if code and actor.customer_id is None and session.scalar(select(Plan.id).where(equals(Plan.code, code))) is None:
        reason = f"there is no plan {code}"
        raise Invalid(f"{field}: {reason}", fields={field: reason})


def on_plan(session: Reads, customer_id: int, period: Period) -> list[OnPlan]:
    """What the customer was on, in the order of the days; days on no plan are in none of them."""
    facts = {"start": period.start, "end": period.end, "customer_id": customer_id}
    rows = connection_of(session).execute(_ON_PLAN, facts)
    versioned = ((customer_id, day, None if columns[0] is None else Version(*columns)) for *columns, _, day in rows)
    return _parts(versioned, period).get(customer_id, [])


def on_plans(session: Session, customer_ids: Collection[int], period: Period) -> dict[int, list[OnPlan]]:
    """``on_plan`` of each of these customers; those who were on none are left out."""
    chosen = among(CustomerPlan.customer_id, customer_ids)
    rows = session.execute(_VERSIONS_ON.where(chosen), {"start": period.start, "end": period.end}).all()
    # Versions are few, and customers many.
    used = among(PlanVersion.id, {version_id for *_, version_id, _ in rows if version_id is not None})
    known = {row.id: Version(*row) for row in session.execute(_VERSIONS.where(used))}
    tried = {version_id: replace(known[version_id], in_trial=True) for *_, version_id, in_trial in rows if in_trial}
    versioned = (
        (customer_id, day, (tried if in_trial else known).get(version_id))
        for customer_id, day, version_id, in_trial in rows
    )
    return _parts(versioned, period)


def billed_with(session: Session, customer_ids: Collection[int], period: Period) -> dict[int, tuple[str, date]]:
    """Of those of these customers whose usage on a day of the period is billed with a subscription: which (``sub_…``),
    and the first such day.
    """
    rows = session.execute(
        _BILLED_WITH.where(among(CustomerPlan.customer_id, customer_ids)), {"start": period.start, "end": period.end}
    )
    found: dict[int, tuple[str, date]] = {}
    for customer_id, valid_from, subscription in rows:
        if subscription is not None:
            found.setdefault(customer_id, (subscription, max(valid_from, period.start)))
    return found


def is_billed_elsewhere(customer_id: Any, period: Period) -> ColumnElement[bool]:
    """In SQL: the usage of the customer in this column is billed with a subscription on all days of the period."""
    later, of_people = aliased(CustomerPlan), aliased(CustomerPlan)
    newer = select(later.id).where(
        later.customer_id == CustomerPlan.customer_id,
        later.valid_from > CustomerPlan.valid_from,
        later.valid_from <= period.start,
    )
    within = select(of_people.id).where(
        of_people.customer_id == CustomerPlan.customer_id,
        of_people.valid_from.between(period.start, period.end),
        of_people.valid_from > CustomerPlan.valid_from,
        of_people.billed_with.is_(None),
    )
    began = select(CustomerPlan.id).where(
        CustomerPlan.customer_id == customer_id,
        CustomerPlan.billed_with.is_not(None),
        CustomerPlan.valid_from <= period.start,
        ~newer.exists(),
        ~within.exists(),
    )
    return began.exists()


def was_on_plan(customer_id: Any, period: Period) -> ColumnElement[bool]:
    """In SQL: the customer in this column was on a plan on a day of the period, at least."""
    theirs = CustomerPlan.customer_id == customer_id
    at_start = (
        select(CustomerPlan.plan_version_id)
        .where(theirs, CustomerPlan.valid_from <= period.start)
        .order_by(CustomerPlan.valid_from.desc())
        .limit(1)
    )
    begun = select(CustomerPlan.id).where(
        theirs, CustomerPlan.plan_version_id.is_not(None), period.contains(CustomerPlan.valid_from)
    )
    return or_(at_start.scalar_subquery().is_not(None), begun.exists())


def _touching(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The customers' plans from ``start`` to ``end``, in the order of the days."""
    start, end = bindparam("start", type_=Date), bindparam("end", type_=Date)
    earlier = aliased(CustomerPlan)
    begun = select(func.max(earlier.valid_from)).where(
        earlier.customer_id == CustomerPlan.customer_id, earlier.valid_from <= start
    )
    first = func.coalesce(begun.correlate(CustomerPlan).scalar_subquery(), start)
    return statement.where(CustomerPlan.valid_from.between(first, end)).order_by(*_ON)


_ON = (CustomerPlan.customer_id, CustomerPlan.valid_from)
# Put together once, which takes longer than carrying it out.
_VERSIONS = versions()
_VERSIONS_ON = _touching(select(*_ON, CustomerPlan.plan_version_id, CustomerPlan.in_trial))
_BILLED_WITH = _touching(select(*_ON, CustomerPlan.billed_with))
_ON_PLAN = _touching(
    select(*_COLUMNS, CustomerPlan.in_trial, *_ON)
    .select_from(CustomerPlan)
    .outerjoin(PlanVersion, PlanVersion.id == CustomerPlan.plan_version_id)
    .outerjoin(Plan, Plan.id == PlanVersion.plan_id)
    .where(CustomerPlan.customer_id == bindparam("customer_id"))
)


def _parts(rows: Iterable[tuple[int, date, Version | None]], period: Period) -> dict[int, list[OnPlan]]:
    """Without a version a row only ends what began before it."""
    found: dict[int, list[OnPlan]] = {}
    for customer_id, valid_from, version in rows:
        if parts := found.get(customer_id):
            last_day = min(parts[-1].last_day, valid_from - timedelta(days=1))
            parts[-1] = parts[-1]._replace(last_day=last_day)
        if version is not None:
            found.setdefault(customer_id, []).append(OnPlan(max(valid_from, period.start), period.end, version))
    return found


def code_on(customer_id: Any, day: date | BindParameter[date]) -> ScalarSelect[str]:
    """In SQL: the code of the plan that the customer in this column is on, NULL on none."""
    return (
        select(Plan.code)
        .select_from(CustomerPlan)
        .outerjoin(PlanVersion, PlanVersion.id == CustomerPlan.plan_version_id)
        .outerjoin(Plan, Plan.id == PlanVersion.plan_id)
        .where(CustomerPlan.customer_id == customer_id, CustomerPlan.valid_from <= day)
        .order_by(CustomerPlan.valid_from.desc())
        .limit(1)
        .scalar_subquery()
    )
