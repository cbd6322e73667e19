"""The totals that are kept of events: by day and user, and when each user was first seen.

What adds a batch, what rebuilds everything and what ``verify`` compares with are one SELECT over different rows.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    SQLColumnExpression,
    Subquery,
    Table,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    true,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.orm import Session, aliased

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.database.upserts import Insert, inserts
from billing_core.metering.models import (
    PLACES,
    UsageArchivedUser,
    UsageDay,
    UsageEvent,
    UsageEventKey,
    UsageUser,
    ZoneKind,
)
from billing_core.metering.zones import DAY, day_in_zone, day_of, midnight, offsets, utc_day_of

DAY_KEY = ("customer_id", "zone_kind", "day", "meter_id", "bucket_id", "user", "archive_id")
SUMS = ("calls", "whole", "millionths", "response_time", "timed_calls")
USER_KEY = ("customer_id", "user")
_ONE = 10**PLACES


def billing_zone() -> SQLColumnExpression[str]:
    """In SQL, of a customer joined with its business: the IANA zone in whose days its usage is billed."""
    return case((Customer.time_zone != "", Customer.time_zone), else_=Business.time_zone)


def counted(customer_ids: Collection[int] | None = None) -> Subquery:
    """The events that count, of these customers (None: all): those that nobody has withdrawn."""
    chosen = true() if customer_ids is None else among(UsageEvent.customer_id, customer_ids)
    return counted_events().where(chosen).subquery("counted")


def counted_events() -> Select[*tuple[Any, ...]]:
    """The columns of every event that nobody has withdrawn."""
    key = (UsageEventKey.customer_id == UsageEvent.customer_id, UsageEventKey.event_id == UsageEvent.event_id)
    withdrawn = select(literal(1)).where(*key, UsageEventKey.withdrawn_at.is_not(None)).exists()
    return select(cast("Table", UsageEvent.__table__)).where(~withdrawn)


def sums(rows: FromClause) -> tuple[ColumnElement[Any], ...]:
    """The columns ``SUMS`` over these events."""
    quantity = type_coerce(rows.c.quantity, BigInteger)
    return (
        func.count().label("calls"),
        func.sum(quantity // _ONE).label("whole"),
        func.sum(quantity % _ONE).label("millionths"),
        func.coalesce(func.sum(type_coerce(rows.c.response_time, BigInteger)), 0).label("response_time"),
        func.count(rows.c.response_time).label("timed_calls"),
    )


def by_day(
    session: Session, rows: FromClause, zones: Iterable[str], first: datetime, last: datetime, *, archive_id: int = 0
) -> Subquery:
    """The totals by day and user of these events between the two instants; ``zones`` are their customers'."""
    dated = in_billing_zone(session, rows, zones, first, last)
    return union_all(*(_in_days(kind, dated, sums(dated), archive_id) for kind in ZoneKind)).subquery("by_day")


def _in_days(
    kind: ZoneKind, rows: FromClause, added_up: Iterable[ColumnElement[Any]], archive_id: int = 0
) -> Select[*tuple[Any, ...]]:
    """The columns ``DAY_KEY`` and ``SUMS``, as they are ``added_up``, over rows with their days."""
    day = rows.c.utc_day if kind is ZoneKind.UTC else rows.c.day
    key = (rows.c.customer_id, day, *_used(rows))
    return select(
        rows.c.customer_id,
        literal(kind.value).label("zone_kind"),
        day.label("day"),
        *_used(rows),
        literal(archive_id).label("archive_id"),
        *added_up,
    ).group_by(*key)


def _used(rows: FromClause) -> tuple[ColumnElement[Any], ...]:
    """What was used, and by whom."""
    return rows.c.meter_id, rows.c.bucket_id, rows.c.user


def in_billing_zone(
    session: Session, rows: FromClause, zones: Iterable[str], first: datetime, last: datetime
) -> Subquery:
    """These events, each with the ``day`` on which it is billed, and its ``utc_day``."""
    names, utc_day = set(zones), utc_day_of(rows.c.occurred_at).label("utc_day")
    if len(names) == 1:
        day = day_in_zone(rows.c.occurred_at, names.pop(), first, last)
        return select(*rows.c, utc_day, day.label("day")).subquery("in_billing_zone")
    ahead = offsets(session, names, first, last)
    return (
        select(*rows.c, utc_day, day_of(rows.c.occurred_at, ahead.c.seconds).label("day"))
        .join(Customer, Customer.id == rows.c.customer_id)
        .join(Business, Business.id == Customer.business_id)
        .join(
            ahead,
            (ahead.c.zone == billing_zone())
            & (rows.c.occurred_at >= ahead.c.starts_at)
            & (rows.c.occurred_at < ahead.c.ends_at),
        )
        .subquery("in_billing_zone")
    )


def grouped(dated: FromClause) -> Select[*tuple[Any, ...]]:
    """Events with their days, added up by customer, days, what was used, and user: all that is kept of them is made of
    these rows, which are fewer.
    """
    key = (dated.c.customer_id, dated.c.utc_day, dated.c.day, *_used(dated))
    first = func.min(dated.c.occurred_at).label("occurred_at")
    return select(*key, *sums(dated), first).group_by(*key)


def first_seen(rows: FromClause) -> Select[*tuple[Any, ...]]:
    """Each user that these events, or groups of them, name, and its first one."""
    return (
        select(rows.c.customer_id, rows.c.user, func.min(rows.c.occurred_at).label("first_seen_at"))
        .where(rows.c.user != "")
        .group_by(rows.c.customer_id, rows.c.user)
    )


def ever_seen(customer_ids: Collection[int] | None = None) -> Select[*tuple[Any, ...]]:
    """Each user of these customers (None: all), and its first event that counts, archived ones among them."""
    archived = select(UsageArchivedUser.customer_id, UsageArchivedUser.user, UsageArchivedUser.first_seen_at)
    if customer_ids is not None:
        archived = archived.where(among(UsageArchivedUser.customer_id, customer_ids))
    seen = union_all(first_seen(counted(customer_ids)), archived).subquery("seen")
    return select(seen.c.customer_id, seen.c.user, func.min(seen.c.first_seen_at).label("first_seen_at")).group_by(
        seen.c.customer_id, seen.c.user
    )


def add(session: Session, rows: FromClause, zones: Iterable[str], first: datetime, last: datetime) -> None:
    """Count these events, which have not been counted before. Rows are locked in the order of their keys."""
    groups = grouped(in_billing_zone(session, rows, zones, first, last)).subquery("groups")
    for statement in adding(session.get_bind().dialect.name, groups):
        session.execute(statement)


def adding(dialect: str, groups: FromClause) -> tuple[Insert, ...]:
    """The statements that count events which are ``grouped``."""
    users = first_seen(groups)
    seen = inserts(UsageUser)[dialect].from_select(
        [*USER_KEY, "first_seen_at"], users.order_by(*users.selected_columns[:2])
    )
    return (
        *(_adding_days(dialect, kind, groups) for kind in ZoneKind),
        seen.on_conflict_do_update(
            index_elements=USER_KEY,
            set_={"first_seen_at": seen.excluded.first_seen_at},
            where=seen.excluded.first_seen_at < UsageUser.first_seen_at,
        ),
    )


def _adding_days(dialect: str, kind: ZoneKind, groups: FromClause) -> Insert:
    days = _in_days(kind, groups, [func.sum(type_coerce(groups.c[name], BigInteger)).label(name) for name in SUMS])
    ordered = days.order_by(groups.c.customer_id, *days.selected_columns[2:6])
    added = inserts(UsageDay)[dialect].from_select([*DAY_KEY, *SUMS], ordered)
    more = {name: getattr(UsageDay, name) + added.excluded[name] for name in SUMS}
    return added.on_conflict_do_update(index_elements=DAY_KEY, set_=more)


def rebuild(session: Session, customer_ids: Collection[int] | None = None) -> None:
    """Count all events of these customers (None: all) anew. What is archived stays as it was counted then."""
    session.flush()
    for totals, renewed in ((UsageDay, UsageDay.archive_id == 0), (UsageUser, true())):
        chosen = true() if customer_ids is None else among(totals.customer_id, customer_ids)
        session.execute(delete(totals).where(renewed, chosen).execution_options(synchronize_session=False))
    if found := extent(session, customer_ids):
        days = by_day(session, counted(customer_ids), billing_zones(session, customer_ids), *found)
        session.execute(insert(UsageDay).from_select([*DAY_KEY, *SUMS], select(days)))
    session.execute(insert(UsageUser).from_select([*USER_KEY, "first_seen_at"], ever_seen(customer_ids)))


def subtract(session: Session, rows: FromClause, zones: Iterable[str], first: datetime, last: datetime) -> None:
    """Leave these events, which count so far, out of the days in which they lie. The customers are locked."""
    _subtract(session, by_day(session, rows, zones, first, last))


def subtract_archived(session: Session, archive_id: int) -> None:
    """The same of the events that this archive has taken away, which its own totals add up."""
    archived = aliased(UsageDay)
    key = (getattr(archived, name) for name in DAY_KEY if name != "archive_id")
    added_up = (type_coerce(getattr(archived, name), BigInteger).label(name) for name in SUMS)
    gone = select(*key, literal(0).label("archive_id"), *added_up).where(archived.archive_id == archive_id)
    _subtract(session, gone.subquery("archived"))


def _subtract(session: Session, gone: FromClause) -> None:
    """``gone``: the columns ``DAY_KEY`` and ``SUMS``."""
    place = [getattr(UsageDay, name) == gone.c[name] for name in DAY_KEY]
    unchanged = {"synchronize_session": False}
    # A day without calls has no row, as when it is counted anew.
    emptied = exists().where(*place, UsageDay.calls == gone.c.calls)
    session.execute(delete(UsageDay).where(emptied), execution_options=unchanged)
    left = {name: type_coerce(getattr(UsageDay, name), BigInteger) - gone.c[name] for name in SUMS}
    session.execute(update(UsageDay).where(*place).values(left), execution_options=unchanged)


def recount_user(session: Session, customer_id: int, user: str) -> None:
    """When this user was first seen, once one of its events no longer counts. The customer is locked."""
    if not user:
        return
    archived = select(func.min(UsageArchivedUser.first_seen_at)).where(
        UsageArchivedUser.customer_id == customer_id, UsageArchivedUser.user == user
    )
    found = [instant for instant in (_first_event(session, customer_id, user), session.scalar(archived)) if instant]
    kept = (UsageUser.customer_id == customer_id, UsageUser.user == user)
    if found:
        session.execute(update(UsageUser).where(*kept).values(first_seen_at=min(found)))
    else:
        session.execute(delete(UsageUser).where(*kept))


def _first_event(session: Session, customer_id: int, user: str) -> datetime | None:
    """The first one that counts and is not archived."""
    seen = select(UsageDay.day).where(
        UsageDay.customer_id == customer_id,
        UsageDay.zone_kind == ZoneKind.UTC,
        UsageDay.user == user,
        UsageDay.archive_id == 0,
    )
    day = session.scalar(seen.order_by(UsageDay.day).limit(1))
    if day is None:
        return None
    on_that_day = (UsageEvent.occurred_at >= midnight(day), UsageEvent.occurred_at < midnight(day) + DAY)
    events = counted_events().where(UsageEvent.customer_id == customer_id, UsageEvent.user == user, *on_that_day)
    first: datetime | None = session.scalar(select(func.min(events.subquery("events").c.occurred_at)))
    return first


def billing_zones(session: Session, customer_ids: Collection[int] | None = None) -> list[str]:
    """The billing zones of these customers (None: all)."""
    zones = select(billing_zone()).join(Business, Business.id == Customer.business_id).distinct()
    if customer_ids is not None:
        zones = zones.where(among(Customer.id, customer_ids))
    return list(session.scalars(zones))


def zones_of(session: Session, customer_ids: Collection[int]) -> dict[int, str]:
    """The billing zone of each of these customers."""
    zones = select(Customer.id, billing_zone()).join(Business, Business.id == Customer.business_id)
    return dict(session.execute(zones.where(among(Customer.id, customer_ids))).all())


def extent(session: Session, customer_ids: Collection[int] | None = None) -> tuple[datetime, datetime] | None:
    """The first and the last event of these customers (None: all); None where they have none."""
    ends = select(func.min(UsageEvent.occurred_at), func.max(UsageEvent.occurred_at))
    if customer_ids is not None:
        ends = ends.where(among(UsageEvent.customer_id, customer_ids))
    first, last = session.execute(ends).one()
    return None if first is None else (first, last)
