"""Reads of rate cards: the rates valid on a day, before and after it, and the services themselves."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.database.ordering import natural
from billing_core.errors import Conflict, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.rating.facts import Rows
from billing_core.rating.models import CostType, Rate, Service, TierMode

MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class RateRow:
    """One rate with its service; amounts of ``minimum_minor`` and ``maximum_minor`` are minor units."""

    id: int
    customer_id: int
    service_id: int
    unit_price: Decimal
    currency: str
    valid_from: date
    valid_to: date | None
    minimum_minor: int | None
    maximum_minor: int | None
    skus: list[str] | None
    tier_mode: TierMode | None
    tiers: list[dict[str, Any]] | None
    conditions: dict[str, Any] | None
    created_at: datetime
    withdrawn_at: datetime | None
    service_code: str
    service_name: str
    cost_type: CostType


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """``customers`` counts those with a past, present or future rate for it."""

    id: int
    code: str
    name: str
    cost_type: CostType
    customers: int


def card_on(session: Session, actor: Actor, customer_id: int, day: date) -> list[RateRow]:
    """The customer's rates that are valid on the day, by the service's name."""
    held = (Rate.in_force, Rate.valid_from <= day, or_(Rate.valid_to.is_(None), Rate.valid_to >= day))
    return _rows(session, _rates(actor, customer_id).where(*held).order_by(natural(Service.name), Service.id))


def history(session: Session, actor: Actor, customer_id: int, service_id: int) -> list[RateRow]:
    """Every version of one service's rate, newest first, withdrawn ones included."""
    statement = _rates(actor, customer_id).where(Rate.service_id == service_id)
    return _rows(session, statement.order_by(Rate.valid_from.desc(), Rate.id.desc()))


def versions(session: Session, actor: Actor, customer_id: int) -> list[RateRow]:
    """Every version in force of every rate of the customer, by service, newest first."""
    statement = _rates(actor, customer_id).where(Rate.in_force)
    return _rows(session, statement.order_by(natural(Service.name), Service.id, Rate.valid_from.desc()))


def one(session: Session, actor: Actor, rate_id: int) -> RateRow:
    """NotFound where there is no such rate or this actor may not see it."""
    actor.require(Permission.RATE_READ)
    customer_id = session.scalar(
        select(Rate.customer_id).where(Rate.id == rate_id, visible_to(actor, Rate.customer_id))
    )
    if customer_id is None:
        raise NotFound(f"There is no rate {rate_id}")
    return _rows(session, _rates(actor, customer_id).where(Rate.id == rate_id))[0]


def services(session: Session, actor: Actor) -> list[ServiceRow]:
    """Every service by name, with the number of customers priced for it among those this actor may see."""
    actor.require(Permission.RATE_READ)
    priced = func.count(Rate.customer_id.distinct())
    statement = (
        select(Service.id, Service.code, Service.name, Service.cost_type, priced)
        .outerjoin(Rate, (Rate.service_id == Service.id) & Rate.in_force & visible_to(actor, Rate.customer_id))
        .group_by(Service.id, Service.code, Service.name, Service.cost_type)
        .order_by(natural(Service.name), Service.id)
        .limit(MOST_ROWS)
    )
    return [ServiceRow(*row) for row in session.execute(statement)]


def service_by_id(session: Session, service_id: int) -> Service:
    """The service itself, for change; NotFound where there is none."""
    service = session.get(Service, service_id)
    if service is None:
        raise NotFound(f"There is no service {service_id}")
    return service


def rate_for_change(session: Session, actor: Actor, rate_id: int) -> Rate:
    """The rate with its row locked until the transaction ends; NotFound as in ``one``, Conflict where withdrawn."""
    statement = (
        select(Rate)
        .where(Rate.id == rate_id, visible_to(actor, Rate.customer_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    rate = session.scalars(statement).one_or_none()
    if rate is None:
        raise NotFound(f"There is no rate {rate_id}")
    if not rate.in_force:
        raise Conflict("This version was withdrawn: open the one that holds in its place")
    return rate


def _rates(actor: Actor, customer_id: int) -> Rows:
    actor.require(Permission.RATE_READ)
    return (
        select(
            *(getattr(Rate, name) for name in RateRow.__dataclass_fields__ if hasattr(Rate, name)),
            Service.code,
            Service.name,
            Service.cost_type,
        )
        .join(Service, Service.id == Rate.service_id)
        .where(Rate.customer_id == customer_id, visible_to(actor, Rate.customer_id))
    )


def _rows(session: Session, statement: Rows) -> list[RateRow]:
    return [RateRow(*row) for row in session.execute(statement.limit(MOST_ROWS))]
