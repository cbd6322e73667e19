"""Plans as people look through them: their versions, and who is on them on a day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select, true
from sqlalchemy.orm import Session, aliased

from billing_core.customers.models import Customer
from billing_core.customers.queries import matching, visible_to
from billing_core.database.functions import equals
from billing_core.database.ordering import natural
from billing_core.errors import NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.plans.models import CustomerPlan, Plan, PlanInterval, PlanVersion
from billing_core.plans.queries import latest_number


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of a plan, the fields as in ``PlanVersion``, and how many customers are on it on the day."""

    id: int
    code: str
    name: str
    number: int
    currency: str
    price_minor: int
    interval: PlanInterval
    interval_count: int
    included_calls: int
    price_per_call: Decimal
    created_at: datetime
    customers: int


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan by its latest version; ``customers`` are on any of its versions on the day."""

    code: str
    name: str
    versions: int
    currency: str
    price_minor: int
    interval: PlanInterval
    interval_count: int
    included_calls: int
    price_per_call: Decimal
    customers: int


@dataclass(frozen=True, slots=True)
class SubscriberRow:
    """A customer that is on the plan on the day, on which version, since when, and from when on another or none."""

    customer_id: int
    ref: str
    name: str
    currency: str
    version: int
    valid_from: date
    followed_on: date | None

    @property
    def last_day(self) -> date | None:
        return self.followed_on and self.followed_on - timedelta(days=1)


def plans(session: Session, actor: Actor, *, day: date, limit: int = 200, offset: int = 0) -> list[PlanRow]:
    """By their codes. Whoever is bound to one customer sees those that it has been on."""
    actor.require(Permission.PLAN_READ)
    on_it = (
        select(func.count())
        .select_from(CustomerPlan)
        .join(of_plan := aliased(PlanVersion), of_plan.id == CustomerPlan.plan_version_id)
        .where(of_plan.plan_id == Plan.id, _holds_on(day), visible_to(actor, CustomerPlan.customer_id))
        .correlate(Plan)
        .scalar_subquery()
    )
    statement: Select[*tuple[Any, ...]] = (
        select(Plan.code, Plan.name, PlanVersion.number, *_TERMS, on_it)
        .join_from(Plan, PlanVersion, PlanVersion.plan_id == Plan.id)
        .where(PlanVersion.number == latest_number(), _seen_by(actor))
        .order_by(natural(Plan.code), Plan.code)
    )
    return [PlanRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def codes(session: Session, actor: Actor) -> list[str]:
    """Of all plans that this actor sees, for a filter."""
    actor.require(Permission.PLAN_READ)
    return list(session.scalars(select(Plan.code).where(_seen_by(actor)).order_by(natural(Plan.code), Plan.code)))


def count(session: Session, actor: Actor) -> int:
    """How many plans this actor sees."""
    actor.require(Permission.PLAN_READ)
    return session.scalar(select(func.count()).select_from(Plan).where(_seen_by(actor))) or 0


def versions(session: Session, actor: Actor, code: str, *, day: date) -> list[VersionRow]:
    """All of the plan's, the latest first; NotFound."""
    actor.require(Permission.PLAN_READ)
    statement: Select[*tuple[Any, ...]] = (
        select(
            PlanVersion.id,
            Plan.code,
            Plan.name,
            PlanVersion.number,
            *_TERMS,
            PlanVersion.created_at,
            _subscribers_of_version(actor, day),
        )
        .join_from(PlanVersion, Plan, Plan.id == PlanVersion.plan_id)
        .where(equals(Plan.code, code), _seen_by(actor))
        .order_by(PlanVersion.number.desc())
    )
    rows = [VersionRow(*row) for row in session.execute(statement)]
    if not rows:
        raise NotFound(f"There is no plan {code}")
    return rows


def subscribers(
    session: Session, actor: Actor, code: str, *, day: date, text: str = "", limit: int = 50, offset: int = 0
) -> list[SubscriberRow]:
    """The customers on the plan that match the text, by name."""
    statement = _subscribers(actor, code, day, text).order_by(Customer.name_order, Customer.id)
    return [SubscriberRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def subscriber_count(session: Session, actor: Actor, code: str, *, day: date, text: str = "") -> int:
    rows = _subscribers(actor, code, day, text).subquery()
    return session.scalar(select(func.count()).select_from(rows)) or 0


_TERMS = (
    PlanVersion.currency,
    PlanVersion.price_minor,
    PlanVersion.interval,
    PlanVersion.interval_count,
    PlanVersion.included_calls,
    PlanVersion.price_per_call,
)


def _subscribers(actor: Actor, code: str, day: date, text: str) -> Select[*tuple[Any, ...]]:
    """The columns of ``SubscriberRow``."""
    actor.require(Permission.PLAN_READ)
    actor.require(Permission.CUSTOMER_READ)
    later = aliased(CustomerPlan)
    following = select(func.min(later.valid_from)).where(
        later.customer_id == CustomerPlan.customer_id, later.valid_from > CustomerPlan.valid_from
    )
    columns = (
        Customer.id,
        Customer.ref,
        Customer.name,
        Customer.currency,
        PlanVersion.number,
        CustomerPlan.valid_from,
        following.correlate(CustomerPlan).scalar_subquery(),
    )
    return (
        select(*columns)
        .join_from(CustomerPlan, Customer, Customer.id == CustomerPlan.customer_id)
        .join(PlanVersion, PlanVersion.id == CustomerPlan.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .where(equals(Plan.code, code), _holds_on(day), visible_to(actor), matching(text))
    )


def _subscribers_of_version(actor: Actor, day: date) -> ScalarSelect[int]:
    on_it = select(func.count()).select_from(CustomerPlan)
    return (
        on_it.where(
            CustomerPlan.plan_version_id == PlanVersion.id,
            _holds_on(day),
            visible_to(actor, CustomerPlan.customer_id),
        )
        .correlate(PlanVersion)
        .scalar_subquery()
    )


def _holds_on(day: date) -> ColumnElement[bool]:
    """In SQL: this row of ``CustomerPlan`` is the one that counts on the day."""
    later = aliased(CustomerPlan)
    newer = select(later.id).where(
        later.customer_id == CustomerPlan.customer_id,
        later.valid_from > CustomerPlan.valid_from,
        later.valid_from <= day,
    )
    return (CustomerPlan.valid_from <= day) & ~newer.exists()


def _seen_by(actor: Actor) -> ColumnElement[bool]:
    """In SQL, of a plan."""
    if actor.customer_id is None:
        return true()
    of_plan = aliased(PlanVersion)
    own = select(of_plan.plan_id).join(CustomerPlan, CustomerPlan.plan_version_id == of_plan.id)
    return Plan.id.in_(own.where(CustomerPlan.customer_id == actor.customer_id))
