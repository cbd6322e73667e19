"""Taking a month's events out of the database, once a file holds them, and putting them back from it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, literal, select, update
from sqlalchemy.orm import Session, aliased

from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.database.loading import sorting
from billing_core.dates import add_months
from billing_core.errors import Conflict
from billing_core.metering import digests, periods, rebucketing, rollups
from billing_core.metering.archives import totals
from billing_core.metering.models import (
    BY_DAYS,
    Meter,
    UsageArchive,
    UsageArchivedUser,
    UsageDay,
    UsageEvent,
    UsageEventKey,
)
from billing_core.metering.zones import DAY, midnight

_MOMENT: Final = timedelta(microseconds=1)
# With the time, so that each of the two is found by its primary key, whichever is read first.
_KEY: Final = ("customer_id", "occurred_at", "event_id")
_SAME_KEY: Final = tuple(getattr(UsageEventKey, name) == getattr(UsageEvent, name) for name in _KEY)
_UNCHANGED: Final = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Content:
    """How many events, and the digest of them together, as that of a day."""

    events: int
    digest: str


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A Parquet file that holds a month's events. ``size`` is in bytes."""

    name: str
    sha256: str
    size: int
    content: Content


def events_of(month: date) -> tuple[ColumnElement[bool], ...]:
    """In SQL: the events of a UTC month, given by its first day, that can be archived.

    Those of meters that cannot be billed by their days' totals never are.
    """
    return _events_between(month, add_months(month, 1))


def _events_between(day: date, following: date) -> tuple[ColumnElement[bool], ...]:
    by_totals = select(Meter.id).where(Meter.aggregation.in_(BY_DAYS))
    return (
        UsageEvent.occurred_at >= midnight(day),
        UsageEvent.occurred_at < midnight(following),
        UsageEvent.meter_id.in_(by_totals),
    )


def content_of(session: Session, chosen: Collection[ColumnElement[bool]]) -> Content:
    """What these events are, withdrawn ones among them."""
    words = (func.coalesce(func.sum(digests.word(UsageEventKey.digest, number)), 0) for number in range(digests.WORDS))
    statement = select(func.count(), *words).join_from(UsageEvent, UsageEventKey, and_(*_SAME_KEY)).where(*chosen)
    events, *sums = session.execute(statement).one()
    return Content(events, digests.written([int(word) for word in sums]))


def put_away(session: Session, month: date, file: ArchiveFile, *, now: datetime) -> UsageArchive:
    """Take the events that the file holds out of the database; their totals, identities and digests stay.

    Conflict where others came since it was written. The customers are locked until the transaction ends.
    """
    customer_ids = _locked_customers(session, select(UsageEvent.customer_id).where(*events_of(month)))
    chosen = (*events_of(month), among(UsageEvent.customer_id, customer_ids))
    if content_of(session, chosen) != file.content:
        raise Conflict(f"Events of {month:%Y-%m} were told meanwhile that are not in the file. Archive it again")
    archive = UsageArchive(
        month=month,
        file=file.name,
        sha256=file.sha256,
        size=file.size,
        events=file.content.events,
        totals="",
        archived_at=now,
    )
    session.add(archive)
    session.flush()
    counted = rollups.counted_events().where(*chosen).subquery("archived")
    first, last = midnight(month), midnight(add_months(month, 1)) - _MOMENT
    zones = rollups.billing_zones(session, customer_ids)
    days = rollups.by_day(session, counted, zones, first, last, archive_id=archive.id)
    users = rollups.first_seen(counted).add_columns(literal(archive.id))
    with sorting(session.connection()):
        session.execute(insert(UsageDay).from_select([*rollups.DAY_KEY, *rollups.SUMS], select(days)))
        session.execute(
            insert(UsageArchivedUser).from_select([*rollups.USER_KEY, "first_seen_at", "archive_id"], users)
        )
    rollups.subtract_archived(session, archive.id)
    taken = update(UsageEventKey).where(*_SAME_KEY, *chosen).values(archive_id=archive.id)
    session.execute(taken, execution_options=_UNCHANGED)
    _delete(session, month, customer_ids)
    totals.seal(session, archive)
    return archive


def _delete(session: Session, month: date, customer_ids: Collection[int]) -> None:
    """A day at a time: SQLite holds in memory which rows a statement is about to delete."""
    day = month
    while day < add_months(month, 1):
        following = day + DAY
        chosen = (*_events_between(day, following), among(UsageEvent.customer_id, customer_ids))
        session.execute(delete(UsageEvent).where(*chosen), execution_options=_UNCHANGED)
        day = following


def lock_archived(session: Session, archive: UsageArchive) -> None:
    """Lock the meters and the customers of its events, in the order in which everybody does: nobody changes buckets
    meanwhile. Who records usage of other customers goes on.
    """
    session.execute(select(Meter.id).order_by(Meter.id).with_for_update(read=True))
    _locked_customers(session, select(UsageEventKey.customer_id).where(UsageEventKey.archive_id == archive.id))


def count_again(session: Session, archive: UsageArchive) -> None:
    """Its events, which are all in the database once more, count as those that were never away; it is no more.

    They fall into the buckets of today, as far as their periods are not billed.
    """
    key = aliased(UsageEventKey)
    same = [getattr(key, name) == getattr(UsageEvent, name) for name in _KEY]
    counted = rollups.counted_events().join(key, and_(*same, key.archive_id == archive.id)).subquery("returned")
    customer_ids = session.scalars(
        select(UsageEventKey.customer_id).where(UsageEventKey.archive_id == archive.id).distinct()
    ).all()
    first, last = midnight(archive.month), midnight(add_months(archive.month, 1)) - _MOMENT
    for kept in (UsageDay, UsageArchivedUser):
        session.execute(delete(kept).where(kept.archive_id == archive.id), execution_options=_UNCHANGED)
    rollups.add(session, counted, rollups.billing_zones(session), first, last)
    returned = update(UsageEventKey).where(UsageEventKey.archive_id == archive.id).values(archive_id=None)
    session.execute(returned, execution_options=_UNCHANGED)
    session.delete(archive)
    session.flush()
    # What was late for a period alone that has been billed anew since is no longer.
    periods.forget_late(session, customer_ids)
    for meter_id in session.scalars(select(Meter.id).where(Meter.aggregation.in_(BY_DAYS)).order_by(Meter.id)):
        rebucketing.rebucket(session, meter_id, customer_ids)


def _locked_customers(session: Session, used: Select[int]) -> list[int]:
    """Nobody records, withdraws or bills usage of theirs meanwhile."""
    customers = select(Customer.id).where(Customer.id.in_(used)).order_by(Customer.id)
    return list(session.scalars(customers.with_for_update(key_share=True)))
