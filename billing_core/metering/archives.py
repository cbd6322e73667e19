"""Archives: which events are no longer here, and the totals that stay of them.

An archive takes the events of one UTC month that are there when it is made. What is told of that month afterwards is
here again, until it is archived in its turn. Totals stay as they were counted, whatever changes later.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.functions import among
from billing_core.dates import add_months
from billing_core.errors import Conflict
from billing_core.metering import digests, rollups
from billing_core.metering.models import (
    Aggregation,
    Meter,
    UsageArchive,
    UsageArchivedUser,
    UsageDay,
    UsageEvent,
    UsageEventKey,
)
from billing_core.metering.zones import midnight

# Rows that are held in memory at once.
_ROWS: Final = 5_000
_MOMENT: Final = timedelta(microseconds=1)
# Aggregations that are billed by the totals of days.
_BY_TOTALS: Final = (Aggregation.COUNT, Aggregation.SUM)
_SAME_KEY: Final = (
    UsageEventKey.customer_id == UsageEvent.customer_id,
    UsageEventKey.event_id == UsageEvent.event_id,
)


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
    by_totals = select(Meter.id).where(Meter.aggregation.in_(_BY_TOTALS))
    return (
        UsageEvent.occurred_at >= midnight(month),
        UsageEvent.occurred_at < midnight(add_months(month, 1)),
        UsageEvent.meter_id.in_(by_totals),
    )


def put_away(session: Session, month: date, file: ArchiveFile, *, now: datetime) -> UsageArchive:
    """Take the events that the file holds out of the database; their totals, identities and digests stay.

    Conflict where others came or went since it was written. The customers are locked until the transaction ends.
    """
    customer_ids = _locked_customers(session, month)
    chosen = (*events_of(month), among(UsageEvent.customer_id, customer_ids))
    content = content_of(session, chosen)
    if content != file.content:
        raise Conflict(f"Events of {month:%Y-%m} were told meanwhile: they are not in the file. Archive it again")
    archive = UsageArchive(
        month=month,
        file=file.name,
        sha256=file.sha256,
        size=file.size,
        events=content.events,
        totals="",
        archived_at=now,
    )
    session.add(archive)
    session.flush()
    counted = rollups.counted_events().where(*chosen).subquery("archived")
    first, last = midnight(month), midnight(add_months(month, 1)) - _MOMENT
    zones = rollups.billing_zones(session, customer_ids)
    days = rollups.by_day(session, counted, zones, first, last, archive_id=archive.id)
    session.execute(insert(UsageDay).from_select([*rollups.DAY_KEY, *rollups.SUMS], select(days)))
    users = rollups.first_seen(counted).add_columns(literal(archive.id))
    session.execute(insert(UsageArchivedUser).from_select([*rollups.USER_KEY, "first_seen_at", "archive_id"], users))
    rollups.subtract(session, counted, zones, first, last)
    unchanged = {"synchronize_session": False}
    taken = update(UsageEventKey).where(*_SAME_KEY, *chosen).values(archive_id=archive.id)
    session.execute(taken, execution_options=unchanged)
    session.execute(delete(UsageEvent).where(*chosen), execution_options=unchanged)
    seal(session, archive)
    return archive


def content_of(session: Session, chosen: Collection[ColumnElement[bool]]) -> Content:
    """What these events are, withdrawn ones among them."""
    words = (func.coalesce(func.sum(digests.word(UsageEventKey.digest, number)), 0) for number in range(digests.WORDS))
    statement = select(func.count(), *words).join_from(UsageEvent, UsageEventKey, and_(*_SAME_KEY)).where(*chosen)
    events, *sums = session.execute(statement).one()
    return Content(events, digests.written([int(word) for word in sums]))


def _locked_customers(session: Session, month: date) -> list[int]:
    """Those with events to archive. Nobody records, withdraws or bills usage of theirs meanwhile."""
    used = select(UsageEvent.customer_id).where(*events_of(month))
    customers = select(Customer.id).where(Customer.id.in_(used)).order_by(Customer.id)
    return list(session.scalars(customers.with_for_update(key_share=True)))


def seal(session: Session, archive: UsageArchive) -> None:
    """Write down what its totals are, once all of them are there: from then on they stay."""
    session.flush()
    archive.totals = digest_of_totals(session, archive.id)


def digest_of_totals(session: Session, archive_id: int) -> str:
    """The sum of the SHA-256 of each row that this archive has left, in hexadecimal digits: no order changes it."""
    total = sum(int.from_bytes(sha256(_written(row)).digest()) for row in _rows(session, archive_id))
    return f"{total % 2**256:064x}"


def _rows(session: Session, archive_id: int) -> Iterator[Row[*tuple[Any, ...]]]:
    sums = (type_coerce(getattr(UsageDay, name), BigInteger) for name in rollups.SUMS)
    days = select(*(getattr(UsageDay, name) for name in rollups.DAY_KEY), *sums).where(
        UsageDay.archive_id == archive_id
    )
    users = select(UsageArchivedUser.customer_id, UsageArchivedUser.user, UsageArchivedUser.first_seen_at).where(
        UsageArchivedUser.archive_id == archive_id
    )
    for rows in (days, users):
        yield from session.execute(rows, execution_options={"yield_per": _ROWS})


def _written(row: Row[*tuple[Any, ...]]) -> bytes:
    """The row as JSON; its archive's own id is in it."""
    return json.dumps([value.isoformat() if isinstance(value, datetime) else str(value) for value in row]).encode()
