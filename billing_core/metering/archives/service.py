"""Archiving the events of past months, and bringing an archive back."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers.models import Customer
from billing_core.database import Sessions
from billing_core.database.engine import read_at_one_moment
from billing_core.database.files import leftovers
from billing_core.database.functions import month_of
from billing_core.database.partitions import ensure_months
from billing_core.dates import add_months, first_of_month
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.archives import files, moving
from billing_core.metering.models import (
    BY_DAYS,
    NO_BUCKET,
    Meter,
    MeterBucket,
    UsageArchive,
    UsageDay,
    UsageEvent,
    ZoneKind,
)
from billing_core.whole_files import publish

# Of a file's SHA-256 in its name: the same events have the same name, and other events another one.
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Archived:
    """A month's events in a file of ``size`` bytes."""

    month: date
    file: Path
    events: int
    size: int


def months(session: Session, actor: Actor, *, before: date, now: datetime) -> list[date]:
    """The first days of the UTC months before that of this day that have events to archive."""
    _require(actor)
    _refuse_unfinished(add_months(first_of_month(before), -1), now)
    by_totals = select(Meter.id).where(Meter.aggregation.in_(BY_DAYS))
    month = month_of(UsageDay.day)
    here = (UsageDay.zone_kind == ZoneKind.UTC, UsageDay.archive_id == 0, UsageDay.meter_id.in_(by_totals))
    found = select(month).where(*here, UsageDay.day < first_of_month(before)).distinct().order_by(month)
    return list(session.scalars(found))


def archive_before(sessions: Sessions, actor: Actor, before: date, folder: Path, *, now: datetime) -> list[Archived]:
    """``archive`` every UTC month before that of this day which has events to archive, in order, each by itself."""
    with sessions() as session:
        found = months(session, actor, before=before, now=now)
    return [archive(sessions, actor, month, folder, now=now) for month in found]


def archive(sessions: Sessions, actor: Actor, month: date, folder: Path, *, now: datetime) -> Archived:
    """Write the events of a past UTC month into a file in the folder, read it back, and take them out of the database.

    Nothing is taken out until the file is on the disk and holds exactly these events. Conflict where some were told
    meanwhile: then it can be done again.
    """
    _require(actor)
    _refuse_unfinished(month, now)
    if not folder.is_dir():
        raise Invalid(f"There is no folder {folder}")
    leftovers.clean(folder)
    with leftovers.under_way(folder / "archive") as written:
        with sessions() as session:
            read_at_one_moment(session)
            files.write(session, first_of_month(month), written)
        examined = files.examined(written, "")
        name = f"usage-{month:%Y-%m}-{examined.sha256[:_DIGITS]}.parquet"
        file = moving.ArchiveFile(name, examined.sha256, examined.size, examined.content)
        # It is there already where the process ended between the file and the transaction.
        with suppress(FileExistsError):
            publish(written, folder / name)
    if files.sha256_of(folder / name) != file.sha256:
        raise Conflict(f"{folder / name} is another file. Archive into another folder")
    with sessions.begin() as session:
        kept = moving.put_away(session, first_of_month(month), file, now=now)
        _note(session, actor, "usage.archive", kept, now)
    return Archived(kept.month, folder / name, kept.events, file.size)


def bring_back(sessions: Sessions, actor: Actor, file: Path, *, now: datetime) -> Archived:
    """Put the events of an archive's file back into the database, as if it had never been made; the file stays."""
    _require(actor)
    if not file.is_file():
        raise Invalid(f"There is no file {file}")
    sha256 = files.sha256_of(file)
    with sessions.begin() as session:
        kept = session.scalars(
            select(UsageArchive).where(UsageArchive.sha256 == sha256).with_for_update()
        ).one_or_none()
        if kept is None:
            raise NotFound(f"{file.name} is the file of no archive: it was brought back already, or has been changed")
        moving.lock_archived(session, kept)
        ensure_months(session.connection(), UsageEvent.__tablename__, [kept.month])
        _insert(session, file)
        _note(session, actor, "usage.bring_back", kept, now)
        moving.count_again(session, kept)
    return Archived(kept.month, file, kept.events, file.stat().st_size)


def _refuse_unfinished(month: date, now: datetime) -> None:
    if first_of_month(month) >= first_of_month(now.astimezone(UTC).date()):
        raise Invalid(f"The month {month:%Y-%m} is not over: it cannot be archived yet")


def _insert(session: Session, file: Path) -> None:
    meters = dict(session.execute(select(Meter.code, Meter.id)).all())
    buckets: dict[tuple[str, str | None], int] = dict.fromkeys(((code, None) for code in meters), NO_BUCKET)
    named = select(Meter.code, MeterBucket.code, MeterBucket.id).join(MeterBucket, MeterBucket.meter_id == Meter.id)
    buckets |= {(meter, bucket): bucket_id for meter, bucket, bucket_id in session.execute(named)}
    for batch in files.read(file):
        uuids = {event["organization_id"] for event in batch}
        customers = dict(session.execute(select(Customer.uuid, Customer.id).where(Customer.uuid.in_(uuids))).all())
        rows: list[dict[str, Any]] = [
            {
                "customer_id": customers[event["organization_id"]],
                "occurred_at": event["time"],
                "event_id": event["id"],
                "meter_id": meters[event["meter"]],
                "bucket_id": buckets[event["meter"], event["bucket"]],
                **{name: event[name] for name in ("user", "endpoint", "response_time", "quantity", "properties")},
                "received_at": event["received_at"],
                "late": event["late"],
            }
            for event in batch
        ]
        session.execute(insert(UsageEvent), rows)


def _require(actor: Actor) -> None:
    actor.require(Permission.USAGE_WRITE)
    if actor.customer_id is not None:
        raise Forbidden("Whoever is bound to one customer cannot archive usage")


def _note(session: Session, actor: Actor, action: str, kept: UsageArchive, now: datetime) -> None:
    facts = {"month": f"{kept.month:%Y-%m}", "file": kept.file, "events": kept.events}
    audit.record(session, actor, action, ("usage_archive", kept.id), label=kept.file or "", after=facts, now=now)
