"""Reads of customers. ``visible_to`` is the one place that limits an actor to its own customer."""

from sqlalchemy import ColumnElement, SQLColumnExpression, case, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from billing_core.customers.models import Customer
from billing_core.customers.standing import merged
from billing_core.database.functions import mentions
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission

# Of whom a name or an id is; and that a customer answers to it: the same one, or that into which it was merged.
NAMED = aliased(Customer)
ANSWERS = Customer.id == func.coalesce(NAMED.merged_into_id, NAMED.id)


def visible_to(actor: Actor, customer_id: SQLColumnExpression[int] = Customer.id) -> ColumnElement[bool]:
    """In SQL: whether this actor may see what belongs to the customer in this column."""
    return true() if actor.customer_id is None else customer_id == actor.customer_id


def matching(text: str) -> ColumnElement[bool]:
    """In SQL: the text occurs in the customer's name, ref, city, or an address that gets its mails openly."""
    term = text.strip()
    addresses = (Customer.email, Customer.further_emails, Customer.cc_emails)
    columns = (Customer.name, Customer.ref, *addresses, Customer.city)
    return mentions(term, *columns) if term else true()


def count(session: Session, actor: Actor) -> int:
    """How many customers this actor may see."""
    actor.require(Permission.CUSTOMER_READ)
    return session.scalar(select(func.count()).select_from(Customer).where(visible_to(actor))) or 0


def names(
    session: Session, actor: Actor, *, text: str = "", active_only: bool = False, limit: int = 1_000
) -> list[tuple[int, str, str]]:
    """(id, name, currency) for choosing a customer among those that match the text, by name. ``active_only``: for
    something new, which those who are deactivated are not billed.
    """
    actor.require(Permission.CUSTOMER_READ)
    statement = select(Customer.id, Customer.name, Customer.currency).where(
        visible_to(actor), matching(text), Customer.merged_into_id.is_(None)
    )
    if active_only:
        statement = statement.where(Customer.active)
    rows = session.execute(statement.order_by(Customer.name_order, Customer.id).limit(limit))
    return [(row.id, row.name, row.currency) for row in rows]


def formers(session: Session, actor: Actor, customer_id: int, *, limit: int = 20) -> list[tuple[int, str]]:
    """(id, name) of those who were merged into this customer, the last first."""
    actor.require(Permission.CUSTOMER_READ)
    statement = select(Customer.id, Customer.name).where(Customer.merged_into_id == customer_id, visible_to(actor))
    return [(row.id, row.name) for row in session.execute(statement.order_by(Customer.id.desc()).limit(limit))]


def name_of(session: Session, actor: Actor, customer_id: int) -> str | None:
    """The name of a chosen customer; None where there is none or this actor may not see it."""
    actor.require(Permission.CUSTOMER_READ)
    return session.scalar(select(Customer.name).where(Customer.id == customer_id, visible_to(actor)))


def one(session: Session, actor: Actor, customer_id: int) -> Customer:
    """The whole customer, for its page; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.CUSTOMER_READ)
    customer = session.scalars(select(Customer).where(Customer.id == customer_id, visible_to(actor))).one_or_none()
    if customer is None:
        raise NotFound(f"There is no customer {customer_id}")
    return customer


def by_public_id(session: Session, actor: Actor, public_id: str) -> Customer:
    """The customer with this ``cus_…`` id, or the one into which it was merged; NotFound as in ``one``."""
    actor.require(Permission.CUSTOMER_READ)
    statement = select(Customer).join(NAMED, ANSWERS).where(NAMED.public_id == public_id, visible_to(actor))
    customer = session.scalars(statement).one_or_none()
    if customer is None:
        raise NotFound(f"There is no customer {public_id}")
    return customer


def standing_for(session: Session, customer_id: int) -> int:
    """The customer's id, or that of the one into which it was merged, for work that was begun before."""
    merged_into = select(Customer.merged_into_id).where(Customer.id == customer_id)
    return session.scalar(merged_into) or customer_id


def for_change(session: Session, actor: Actor, customer_id: int, *, alone: bool = False) -> Customer:
    """The customer with its row locked until the transaction ends; NotFound as in ``one``.

    Writers of rows that only refer to the customer do not wait for this lock: they may hold locks that we need next.
    ``alone``: they wait too, so that nothing new comes meanwhile. Conflict where it was merged into another one.
    """
    statement = (
        select(Customer)
        .where(Customer.id == customer_id, visible_to(actor))
        .with_for_update(key_share=not alone)
        .execution_options(populate_existing=True)
    )
    customer = session.scalars(statement).one_or_none()
    if customer is None:
        raise NotFound(f"There is no customer {customer_id}")
    if customer.merged_into_id is not None:
        raise merged(customer.name, customer.merged_into_id)
    return customer


def id_of(session: Session, actor: Actor, ref_or_id: str) -> int:
    """A customer by its ref, otherwise by its integer id, or the one into which it was merged; NotFound where neither
    matches.
    """
    name = ref_or_id.strip()
    answering = select(Customer.id).join(NAMED, ANSWERS).where(visible_to(actor))
    customer_id = session.scalar(answering.where(NAMED.ref == name))
    # Beyond nine digits it cannot be an id, and PostgreSQL would refuse to compare.
    if customer_id is None and name.isascii() and name.isdigit() and len(name) <= 9:
        customer_id = session.scalar(answering.where(NAMED.id == int(name)))
    if customer_id is None:
        raise NotFound(f"There is no customer with the ref or id “{name}”")
    return customer_id


def named(session: Session, actor: Actor, name: str) -> Customer:
    """A customer as programs name organizations: by its UUID in any case of letters, its public id or its ref; NotFound
    as in ``one``.

    Where one customer's ref is another's id, the id counts, which is nobody's choice. Of one that was merged the other.
    """
    actor.require(Permission.CUSTOMER_READ)
    ways = (NAMED.uuid == name.lower(), NAMED.public_id == name, NAMED.ref == name)
    rank = case(*((way, place) for place, way in enumerate(ways)))
    statement = select(Customer).join(NAMED, ANSWERS).where(or_(*ways), visible_to(actor))
    customer = session.scalars(statement.order_by(rank).limit(1)).one_or_none()
    if customer is None:
        raise NotFound("Organization not found")
    return customer


def countries(session: Session, actor: Actor) -> list[str]:
    """The country codes that occur, for a filter."""
    actor.require(Permission.CUSTOMER_READ)
    statement = select(Customer.country).where(visible_to(actor), Customer.country != "").distinct()
    return list(session.scalars(statement.order_by(Customer.country)))


def must_occur(session: Session, actor: Actor, country: str) -> None:
    """Invalid where a filter asks for a country that no customer is of; an empty one asks for none."""
    if country and country not in countries(session, actor):
        reason = f"no customer is of {country}"
        raise Invalid(f"country: {reason}", fields={"country": reason})


def currencies(session: Session, actor: Actor) -> list[str]:
    """The currencies in which customers are billed, for a filter."""
    actor.require(Permission.CUSTOMER_READ)
    return list(
        session.scalars(select(Customer.currency).where(visible_to(actor)).distinct().order_by(Customer.currency))
    )
