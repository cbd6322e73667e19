"""The proof that the totals kept of usage are those of its events, and that every event is the one that came."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import func, select, union, union_all
from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.customers.models import Customer
from billing_core.metering import digests, rebucketing, rollups
from billing_core.metering.archives import totals
from billing_core.metering.models import (
    FROM_EVENTS,
    NO_BUCKET,
    Meter,
    MeterBucket,
    UsageArchive,
    UsageDay,
    UsageDigest,
    UsageEvent,
    UsageEventKey,
    UsageUser,
    ZoneKind,
)
from billing_core.metering.reading import digest
from billing_core.metering.zones import utc_day_of
from billing_core.proof import Check

# Events whose digests are compared at a time, which bounds the memory.
_EVENTS: Final = 5_000


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _days(session)
    yield _users(session)
    yield _buckets(session)
    yield _raw(session)
    yield _identities(session)
    yield _contents(session)
    yield _archives(session)
    yield _archived_days(session)
    yield _digests(session)


def _days(session: Session) -> Check:
    columns = (*rollups.DAY_KEY, *rollups.SUMS)
    kept = select(*(getattr(UsageDay, name) for name in columns)).where(UsageDay.archive_id == 0)
    if found := rollups.extent(session):
        counted = rollups.by_day(session, rollups.counted(), rollups.billing_zones(session), *found)
        wrong = proof.either_way(kept, select(*(counted.c[name] for name in columns)))
    else:
        wrong = kept
    days = wrong.subquery("days")
    named = (
        select(Customer.ref, days.c.zone_kind, days.c.day, Meter.code, days.c.user)
        .outerjoin_from(days, Customer, Customer.id == days.c.customer_id)
        .outerjoin(Meter, Meter.id == days.c.meter_id)
        .order_by(days.c.customer_id, days.c.day, days.c.zone_kind, days.c.meter_id, days.c.user)
    )
    return Check(
        "Usage by day and user is the sum of the events of that day, in UTC and in the billing zone",
        proof.count(session, UsageDay, UsageDay.archive_id == 0),
        proof.named(session, named, "customer {0}, {1} day {2}, {3}, user “{4}”"),
    )


def _users(session: Session) -> Check:
    kept = select(UsageUser.customer_id, UsageUser.user, UsageUser.first_seen_at)
    wrong = proof.either_way(kept, rollups.ever_seen()).subquery("users")
    named = (
        select(Customer.ref, wrong.c.user)
        .outerjoin_from(wrong, Customer, Customer.id == wrong.c.customer_id)
        .order_by(wrong.c.customer_id, wrong.c.user)
    )
    return Check(
        "Each user of a customer was first seen at its first event that counts",
        proof.count(session, UsageUser),
        proof.named(session, named, "customer {0}, user “{1}”"),
    )


def _buckets(session: Session) -> Check:
    strange = select(UsageEvent.customer_id, UsageEvent.event_id).where(
        UsageEvent.bucket_id != NO_BUCKET,
        UsageEvent.bucket_id.not_in(select(MeterBucket.id).where(MeterBucket.meter_id == UsageEvent.meter_id)),
    )
    misplaced = rebucketing.misplaced(session)
    parts = [strange] if misplaced is None else [strange, select(misplaced.c.customer_id, misplaced.c.event_id)]
    wrong = union(*parts).subquery("wrong")
    named = (
        select(Customer.ref, wrong.c.event_id)
        .outerjoin_from(wrong, Customer, Customer.id == wrong.c.customer_id)
        .order_by(wrong.c.customer_id, wrong.c.event_id)
    )
    return Check(
        "Each event of usage is in a bucket of its meter, until its period is billed in the one that it fits",
        proof.count(session, UsageEvent),
        proof.named(session, named, "customer {0}, event “{1}”"),
    )


def _raw(session: Session) -> Check:
    strange = (
        select(Customer.ref, UsageEvent.event_id)
        .join_from(UsageEvent, Meter, Meter.id == UsageEvent.meter_id)
        .outerjoin(Customer, Customer.id == UsageEvent.customer_id)
        .where(UsageEvent.raw != Meter.aggregation.in_(FROM_EVENTS))
        .order_by(UsageEvent.customer_id, UsageEvent.event_id)
    )
    return Check(
        "Those events of usage are billed by themselves whose meter says so",
        proof.count(session, UsageEvent),
        proof.named(session, strange, "customer {0}, event “{1}”"),
    )


def _identities(session: Session) -> Check:
    same = (
        (UsageEventKey.customer_id == UsageEvent.customer_id)
        & (UsageEventKey.event_id == UsageEvent.event_id)
        & (UsageEventKey.occurred_at == UsageEvent.occurred_at)
    )
    without_key = (
        select(UsageEvent.customer_id, UsageEvent.event_id)
        .outerjoin_from(UsageEvent, UsageEventKey, same)
        .where(UsageEventKey.customer_id.is_(None))
    )
    without_event = (
        select(UsageEventKey.customer_id, UsageEventKey.event_id)
        .outerjoin_from(UsageEventKey, UsageEvent, same)
        .where(UsageEvent.customer_id.is_(None), UsageEventKey.archive_id.is_(None))
    )
    archived = select(UsageEventKey.customer_id, UsageEventKey.event_id).join(UsageEvent, same)
    archived = archived.where(UsageEventKey.archive_id.is_not(None))
    wrong = union_all(without_key, without_event, archived).subquery("alone")
    named = (
        select(Customer.ref, wrong.c.event_id)
        .outerjoin_from(wrong, Customer, Customer.id == wrong.c.customer_id)
        .order_by(wrong.c.customer_id, wrong.c.event_id)
    )
    return Check(
        "Every event of usage has its identity, and every identity its event, here or in an archive",
        proof.count(session, UsageEventKey),
        proof.named(session, named, "customer {0}, event “{1}”"),
    )


def _contents(session: Session) -> Check:
    statement = (
        select(
            Customer.ref,
            UsageEvent.event_id,
            UsageEvent.occurred_at,
            Meter.code,
            UsageEvent.user,
            UsageEvent.endpoint,
            UsageEvent.response_time,
            UsageEvent.quantity,
            UsageEvent.properties,
            UsageEventKey.digest,
        )
        .join_from(
            UsageEvent,
            UsageEventKey,
            (UsageEventKey.customer_id == UsageEvent.customer_id) & (UsageEventKey.event_id == UsageEvent.event_id),
        )
        .join(Customer, Customer.id == UsageEvent.customer_id)
        .outerjoin(Meter, Meter.id == UsageEvent.meter_id)
        .order_by(UsageEvent.customer_id, UsageEvent.occurred_at, UsageEvent.event_id)
    )
    proven = 0
    wrong: list[str] = []
    for ref, event_id, *content, kept in session.execute(statement.execution_options(yield_per=_EVENTS)):
        proven += 1
        if digest(event_id, *content) != kept and len(wrong) < proof.NAMED:
            wrong.append(f"customer {ref}, event “{event_id}”")
    return Check("Each event of usage has the content that its digest was made of", proven, tuple(wrong))


def _digests(session: Session) -> Check:
    columns = (*digests.KEY, *digests.SUMS)
    kept = select(*(getattr(UsageDigest, name) for name in columns))
    wrong = proof.either_way(kept, digests.by_day(digests.counted())).subquery("digests")
    named = (
        select(Customer.ref, wrong.c.day)
        .outerjoin_from(wrong, Customer, Customer.id == wrong.c.customer_id)
        .order_by(wrong.c.customer_id, wrong.c.day)
    )
    return Check(
        "The digest of each day of usage is the sum of those of its events that count",
        proof.count(session, UsageDigest),
        proof.named(session, named, "customer {0}, utc day {1}"),
    )


def _archives(session: Session) -> Check:
    """Both what an archive says of its totals and of its events, and that no totals are of an archive that is not."""
    known = session.execute(select(UsageArchive).order_by(UsageArchive.month, UsageArchive.id)).scalars().all()
    identities = dict(
        session.execute(
            select(UsageEventKey.archive_id, func.count())
            .where(UsageEventKey.archive_id.is_not(None))
            .group_by(UsageEventKey.archive_id)
        ).all()
    )
    wrong = [
        f"archive {archive.id}, of {archive.month:%Y-%m}"
        for archive in known
        if totals.digest(session, archive.id) != archive.totals
        or (archive.file is not None and identities.get(archive.id, 0) != archive.events)
    ]
    strays = select(UsageDay.archive_id).where(
        UsageDay.archive_id != 0, UsageDay.archive_id.not_in(select(UsageArchive.id))
    )
    wrong += proof.named(session, strays.distinct().order_by(UsageDay.archive_id), "archive {0}, which is not there")
    return Check("Each archive's totals are those with which it was made", len(known), tuple(wrong[: proof.NAMED]))


def _archived_days(session: Session) -> Check:
    with_events = select(UsageArchive.id).where(UsageArchive.file.is_not(None))
    keys = select(UsageEventKey.archive_id, UsageEventKey.customer_id, UsageEventKey.occurred_at)
    archived = keys.where(UsageEventKey.archive_id.is_not(None), UsageEventKey.withdrawn_at.is_(None)).subquery()
    day = utc_day_of(archived.c.occurred_at)
    identities = select(
        archived.c.archive_id, archived.c.customer_id, day.label("day"), func.count().label("calls")
    ).group_by(archived.c.archive_id, archived.c.customer_id, day)
    kept = (
        select(UsageDay.archive_id, UsageDay.customer_id, UsageDay.day, func.sum(UsageDay.calls).label("calls"))
        .where(UsageDay.archive_id.in_(with_events), UsageDay.zone_kind == ZoneKind.UTC)
        .group_by(UsageDay.archive_id, UsageDay.customer_id, UsageDay.day)
    )
    wrong = proof.either_way(kept, identities).subquery("archived")
    named = (
        select(Customer.ref, wrong.c.day)
        .outerjoin_from(wrong, Customer, Customer.id == wrong.c.customer_id)
        .order_by(wrong.c.customer_id, wrong.c.day)
    )
    counted = proof.count(session, UsageEventKey, UsageEventKey.archive_id.is_not(None))
    return Check(
        "The archived calls of a day are as many as the identities of the events that were archived",
        counted,
        proof.named(session, named, "customer {0}, utc day {1}"),
    )
