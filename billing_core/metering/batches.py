"""Removing a batch of events that a file brought, as if it had never come: their ids are free again.

What was withdrawn counts nowhere already, and keeps its id.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.types import UtcDateTime
from billing_core.metering import alerts, digests, periods, rollups
from billing_core.metering.models import LateItem, UsageEvent, UsageEventKey, UsagePeriod, UsageUser

_KEY = ("customer_id", "event_id")
_UNCHANGED = {"synchronize_session": False}


def chosen(session: Session, batch: int) -> Table:
    """The identities of the batch's events that count, in a temporary table; their customers are locked."""
    connection = session.connection()
    keys = UsageEventKey.__table__
    theirs = select(keys.c.customer_id).where(keys.c.batch == batch)
    session.execute(select(Customer.id).where(Customer.id.in_(theirs)).order_by(Customer.id).with_for_update()).all()
    columns = (Column("customer_id", Integer, primary_key=True), Column("event_id", String, primary_key=True))
    further = (Column("occurred_at", UtcDateTime), Column("digest", String), Column("archive_id", Integer))
    events = Table("removed_events", MetaData(), *columns, *further, prefixes=["TEMPORARY"])
    events.create(connection, checkfirst=False)
    counted = select(*(keys.c[column.name] for column in events.c)).where(
        keys.c.batch == batch, keys.c.withdrawn_at.is_(None)
    )
    connection.execute(insert(events).from_select([column.name for column in events.c], counted))
    return events


def archived(events: Table) -> Select[Any]:
    """Selects customer ref and event id of those that are in an archive."""
    return _named(events).where(events.c.archive_id.is_not(None))


def billed(session: Session, events: Table) -> Select[Any]:
    """The same of those that a bill of usage has counted, or would have counted."""
    dated = _dated(session, events)
    if dated is None:
        return _named(events).where(events.c.archive_id.is_not(None))
    # What is billed from the events themselves can hold on into later periods.
    later = exists().where(
        UsagePeriod.customer_id == dated.c.customer_id,
        UsagePeriod.last_day >= dated.c.day,
        UsagePeriod.replaced_at.is_(None),
    )
    late = exists().where(LateItem.customer_id == dated.c.customer_id, LateItem.event_id == dated.c.event_id)
    counted = or_(periods.is_billed(dated), dated.c.raw & later, late)
    return _named(dated).where(counted)


def remove(session: Session, events: Table, *, now: datetime) -> None:
    """Leave the events out of all that is kept of them, and delete them."""
    connection = session.connection()
    rows, zones = _events(events), _zones(session, events)
    extent = session.execute(select(func.min(events.c.occurred_at), func.max(events.c.occurred_at))).one()
    if extent[0] is None:
        return
    rollups.subtract(session, rows, zones, *extent)
    digests.subtract_all(session, events)
    users = _users(connection, rows)
    place = tuple_(UsageEvent.customer_id, UsageEvent.occurred_at, UsageEvent.event_id)
    going = select(events.c.customer_id, events.c.occurred_at, events.c.event_id)
    session.execute(delete(UsageEvent).where(place.in_(going)), execution_options=_UNCHANGED)
    _recount(session, users)
    identity = tuple_(UsageEventKey.customer_id, UsageEventKey.event_id)
    ids = select(*(events.c[name] for name in _KEY))
    session.execute(delete(UsageEventKey).where(identity.in_(ids)), execution_options=_UNCHANGED)
    alerts.ask_where_watched(session, events, now=now)


def _named(rows: FromClause) -> Select[Any]:
    named = select(Customer.ref, rows.c.event_id).join_from(rows, Customer, Customer.id == rows.c.customer_id)
    return named.order_by(Customer.ref, rows.c.event_id)


def _events(events: Table) -> FromClause:
    same = _same(UsageEvent, events) & (UsageEvent.occurred_at == events.c.occurred_at)
    return select(UsageEvent.__table__).join(events, same).subquery("going_events")


def _same(one: Any, events: Table) -> ColumnElement[bool]:
    return and_(one.customer_id == events.c.customer_id, one.event_id == events.c.event_id)


def _zones(session: Session, events: Table) -> Sequence[str]:
    theirs = Customer.id.in_(select(events.c.customer_id))
    zones = select(rollups.billing_zone()).join(Business, Business.id == Customer.business_id).where(theirs)
    return session.scalars(zones.distinct()).all()


def _dated(session: Session, events: Table) -> FromClause | None:
    first, last = session.execute(select(func.min(events.c.occurred_at), func.max(events.c.occurred_at))).one()
    if first is None:
        return None
    return rollups.in_billing_zone(session, _events(events), _zones(session, events), first, last)


def _users(connection: Connection, rows: FromClause) -> Table:
    """Who used what goes, in a temporary table."""
    columns = (Column("customer_id", Integer, primary_key=True), Column("user", String, primary_key=True))
    users = Table("users_of_removed_events", MetaData(), *columns, prefixes=["TEMPORARY"])
    users.create(connection, checkfirst=False)
    named = select(rows.c.customer_id, rows.c.user).where(rows.c.user != "").distinct()
    connection.execute(insert(users).from_select(["customer_id", "user"], named))
    return users


def _recount(session: Session, users: Table) -> None:
    """When each of these users was first seen, by what is left."""
    of_users = tuple_(UsageUser.customer_id, UsageUser.user).in_(select(users))
    session.execute(delete(UsageUser).where(of_users), execution_options=_UNCHANGED)
    customer_ids = session.scalars(select(users.c.customer_id).distinct()).all()
    if not customer_ids:
        return
    seen = rollups.ever_seen(customer_ids).subquery("seen_by_what_is_left")
    again = select(seen).where(tuple_(seen.c.customer_id, seen.c.user).in_(select(users)))
    session.execute(insert(UsageUser).from_select([*rollups.USER_KEY, "first_seen_at"], again))
