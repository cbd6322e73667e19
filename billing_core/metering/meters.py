"""What a person can do with meters: create one, name it, and put its events into buckets with prices of their own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database.functions import equals
from billing_core.database.ordering import natural
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import alerts, bucket_changes, buckets, rebucketing
from billing_core.metering.buckets import Value
from billing_core.metering.models import Aggregation, Meter, MeterBucket, UsageDay
from billing_core.text import needed

MOST_METERS: Final = 200
MOST_BUCKETS: Final = 100


@dataclass(frozen=True, slots=True)
class BucketRow:
    """``filters``: the values that each property may have, as JSON."""

    id: int
    code: str
    name: str
    filters: dict[str, list[str]]
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class MeterRow:
    """A meter with its buckets, the first that an event fits being its own; retired ones come last."""

    id: int
    code: str
    name: str
    aggregation: Aggregation
    unique_of: str
    unit: str
    buckets: tuple[BucketRow, ...]


def rows(session: Session, actor: Actor) -> list[MeterRow]:
    """Every meter in the order of their codes; there are at most ``MOST_METERS``."""
    actor.require(Permission.PLAN_READ)
    kept: dict[int, list[MeterBucket]] = {}
    for bucket in session.scalars(select(MeterBucket)):
        kept.setdefault(bucket.meter_id, []).append(bucket)
    return [
        MeterRow(
            one.id, one.code, one.name, one.aggregation, one.unique_of, one.unit, tuple(_in_order(kept.get(one.id, [])))
        )
        for one in session.scalars(select(Meter).order_by(natural(Meter.code), Meter.code))
    ]


def create(
    session: Session,
    actor: Actor,
    *,
    code: str,
    name: str,
    aggregation: Aggregation,
    unit: str,
    unique_of: str = "",
    now: datetime,
) -> Meter:
    """A new meter, which events can name from now on. What it makes of them never changes. ``unique_of``: which
    property's values a meter of unique ones counts; empty: the users.
    """
    actor.require(Permission.PLAN_WRITE)
    if unique_of and aggregation is not Aggregation.UNIQUE:
        reason = "is for meters that count unique values"
        raise Invalid(f"The property {unique_of} {reason}", fields={"unique_of": reason})
    facts: dict[str, Any] = {"code": needed(code, "code", 64), **_names(name, unit), "aggregation": aggregation}
    facts["unique_of"] = buckets.property_name(unique_of, "unique_of") if unique_of else ""
    if session.scalar(select(Meter.id).where(Meter.code == facts["code"])) is not None:
        raise Conflict(f"There is already a meter with the code {facts['code']}")
    if (session.scalar(select(func.count()).select_from(Meter)) or 0) >= MOST_METERS:
        raise Conflict(f"There are {MOST_METERS} meters already, which is the most that there may be")
    meter = Meter(**facts)
    session.add(meter)
    session.flush()
    audit.record(session, actor, "meter.create", ("meter", meter.id), label=meter.name, after=facts, now=now)
    return meter


def rename(session: Session, actor: Actor, code: str, *, name: str, unit: str, now: datetime) -> Meter:
    """Another name and unit for a meter."""
    actor.require(Permission.PLAN_WRITE)
    wanted = _names(name, unit)
    meter = _locked(session, code)
    before, after = audit.changed({field: getattr(meter, field) for field in wanted}, wanted)
    if not after:
        raise Invalid("Nothing would change: the meter has this name and unit already")
    meter.name, meter.unit = wanted["name"], wanted["unit"]
    subject = ("meter", meter.id)
    audit.record(session, actor, "meter.change", subject, label=meter.name, before=before, after=after, now=now)
    return meter


def add_bucket(
    session: Session,
    actor: Actor,
    meter_code: str,
    *,
    code: str,
    name: str,
    filters: Mapping[str, Collection[Value]],
    now: datetime,
) -> MeterBucket:
    """A further bucket. Those events whose period is not billed yet fall into it at once."""
    actor.require(Permission.PLAN_WRITE)
    code, name = needed(code, "code", 64), needed(name, "name", 200)
    stored = buckets.filters_of(filters)
    meter = _locked(session, meter_code)
    live = buckets.live(session, [meter.id])
    if len(live) >= MOST_BUCKETS:
        raise Conflict(f"{meter.name} has {MOST_BUCKETS} buckets already, which is the most that there may be")
    if session.scalar(select(MeterBucket.id).where(MeterBucket.meter_id == meter.id, MeterBucket.code == code)):
        raise Conflict(f"{meter.name} has already a bucket with the code {code}")
    _refuse_twin(meter, live, stored)
    bucket = MeterBucket(meter_id=meter.id, code=code, name=name, filters=stored)
    session.add(bucket)
    moved = _rebucket(session, meter, now)
    after = {"bucket": code, "name": name, "filters": stored, "moved_events": moved}
    audit.record(session, actor, "meter.change", ("meter", meter.id), label=meter.name, after=after, now=now)
    return bucket


def change_bucket(
    session: Session,
    actor: Actor,
    meter_code: str,
    code: str,
    *,
    name: str,
    filters: Mapping[str, Collection[Value]],
    now: datetime,
) -> MeterBucket:
    """Another name, or other events. Those of billed periods stay where they are."""
    actor.require(Permission.PLAN_WRITE)
    wanted = {"name": needed(name, "name", 200), "filters": buckets.filters_of(filters)}
    meter = _locked(session, meter_code)
    live = buckets.live(session, [meter.id])
    bucket = _named(meter, live, code)
    before, after = audit.changed({field: getattr(bucket, field) for field in wanted}, wanted)
    if not after:
        raise Invalid("Nothing would change: the bucket has this name and these filters already")
    _refuse_twin(meter, [one for one in live if one is not bucket], wanted["filters"])
    bucket.name, bucket.filters = wanted["name"], wanted["filters"]
    moved = _rebucket(session, meter, now) if "filters" in after else 0
    after |= {"bucket": code, "moved_events": moved}
    subject = ("meter", meter.id)
    audit.record(session, actor, "meter.change", subject, label=meter.name, before=before, after=after, now=now)
    return bucket


def retire_bucket(session: Session, actor: Actor, meter_code: str, code: str, *, now: datetime) -> MeterBucket:
    """No event falls into it any more; those of billed periods stay where they are."""
    actor.require(Permission.PLAN_WRITE)
    meter = _locked(session, meter_code)
    bucket = _named(meter, buckets.live(session, [meter.id]), code)
    bucket.retired_at = now
    moved = _rebucket(session, meter, now)
    before, after = {"bucket": code, "filters": bucket.filters}, {"retired_at": now, "moved_events": moved}
    subject = ("meter", meter.id)
    audit.record(session, actor, "meter.change", subject, label=meter.name, before=before, after=after, now=now)
    return bucket


def _in_order(kept: Collection[MeterBucket]) -> list[BucketRow]:
    ordered = buckets.by_specificity(kept)
    ordered.sort(key=lambda bucket: bucket.retired_at is not None)
    return [
        BucketRow(one.id, one.code, one.name, buckets.values_by_property(one.filters), one.retired_at)
        for one in ordered
    ]


def _names(name: str, unit: str) -> dict[str, str]:
    return {"name": needed(name, "name", 200), "unit": needed(unit, "unit", 64)}


def _named(meter: Meter, live: Collection[MeterBucket], code: str) -> MeterBucket:
    found = next((bucket for bucket in live if bucket.code == code), None)
    if found is None:
        raise NotFound(f"{meter.name} has no bucket {code}")
    return found


def _refuse_twin(meter: Meter, others: Collection[MeterBucket], filters: str) -> None:
    """No event would ever fall into the younger of two with the same filters."""
    if twin := next((one for one in others if one.filters == filters), None):
        raise Conflict(f"The bucket {twin.code} of {meter.name} has these filters already")


def _rebucket(session: Session, meter: Meter, now: datetime) -> int:
    """How many events its other buckets have moved."""
    moved = rebucketing.rebucket(session, meter.id)
    bucket_changes.note(session, meter.id, buckets.live(session, [meter.id]))
    # Once the customers are locked, so that nothing is archived meanwhile.
    rebucketing.refuse_archived(session, meter)
    if moved:
        used = select(UsageDay.customer_id).where(UsageDay.meter_id == meter.id).subquery("used")
        alerts.ask_where_watched(session, used, now=now)
    return moved


def _locked(session: Session, code: str) -> Meter:
    """Whoever records usage, or changes the meter, waits until the transaction ends. Whoever bills, or takes usage
    back, does not wait for the meter that it refers to: it has locked customers, which are locked here afterwards.
    """
    named = select(Meter).where(equals(Meter.code, code))
    meter = session.scalars(named.with_for_update(key_share=True)).one_or_none()
    if meter is None:
        raise NotFound(f"There is no meter {code}")
    return meter
