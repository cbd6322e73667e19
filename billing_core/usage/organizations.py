"""Customers as the analytics API knows them: organizations, by their UUIDs."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, Date, Select, bindparam, func, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import ANSWERS, NAMED, visible_to
from billing_core.database.engine import Reads, connection_of
from billing_core.database.functions import equals
from billing_core.database.ordering import no_such_start
from billing_core.errors import Forbidden, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.plans.queries import code_on

NO_TIER = "none"


@dataclass(frozen=True, slots=True)
class Organization:
    """``currency`` is the one in which it is billed, ``tier`` the code of its plan on the day that was asked for."""

    customer_id: int
    uuid: str
    ref: str
    name: str
    currency: str
    tier: str


def own_or_any(session: Reads, actor: Actor, uuid: str, *, day: date, refusal: str) -> Organization:
    """The organization with this UUID: to its own people, and to superusers.

    Forbidden with ``refusal`` to everybody else, whether there is one or not, so that nobody learns which exist.
    """
    actor.require(Permission.CUSTOMER_READ)
    # No column holds NUL, which PostgreSQL refuses.
    row = (
        None
        if "\0" in uuid
        else connection_of(session).execute(_BY_UUID, {"uuid": uuid.lower(), "day": day}).one_or_none()
    )
    if not actor.is_superuser and (row is None or row.id != actor.customer_id):
        raise Forbidden(refusal)
    if row is None:
        raise NotFound("Organization not found")
    return Organization(*row)


def page(
    session: Session, actor: Actor, *, ref: str | None, starting_after: str | None, day: date, limit: int
) -> list[Organization]:
    """In the order in which they became customers. ``starting_after``: those that follow this UUID; Invalid."""
    actor.require(Permission.CUSTOMER_READ)
    actor.require(Permission.PLAN_READ)
    statement = _organizations(day).where(visible_to(actor))
    if ref is not None:
        statement = statement.where(equals(Customer.ref, ref.strip()))
    if starting_after is not None:
        known = equals(Customer.uuid, starting_after.lower())
        after = session.scalar(select(Customer.id).where(known, visible_to(actor)))
        if after is None:
            raise no_such_start()
        statement = statement.where(Customer.id > after)
    return [Organization(*row) for row in session.execute(statement.order_by(Customer.id).limit(limit))]


def of_customer(session: Session, actor: Actor, customer_id: int, *, day: date) -> Organization:
    """One customer as an organization; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.CUSTOMER_READ)
    row = session.execute(_organizations(day).where(Customer.id == customer_id, visible_to(actor))).one_or_none()
    if row is None:
        raise NotFound(f"There is no customer {customer_id}")
    return Organization(*row)


def _organizations(day: date | BindParameter[date]) -> Select[*tuple[Any, ...]]:
    tier = func.coalesce(code_on(Customer.id, day), NO_TIER)
    return select(Customer.id, Customer.uuid, Customer.ref, Customer.name, Customer.currency, tier)


# Put together once, which takes longer than carrying it out.
_BY_UUID = _organizations(bindparam("day", type_=Date)).join(NAMED, ANSWERS).where(NAMED.uuid == bindparam("uuid"))
