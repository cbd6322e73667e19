"""Recording a batch of events: each once, whoever sends it however often, with the totals that are kept of it."""

import secrets
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NoReturn

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.loading import loader
from billing_core.database.partitions import ensure_months
from billing_core.database.types import UtcDateTime
from billing_core.dates import day_in
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import buckets, digests, keeping, rollups
from billing_core.metering.models import NO_BUCKET, PLACES, Exact, Meter, UsageEvent, UsageEventKey
from billing_core.metering.reading import UNADDRESSABLE, UNADDRESSABLE_REASON, Event, Refusal, read, refusal
from billing_core.money import scaled

MOST_EVENTS = 10_000

# A connection's own, and emptied by each batch.
_BATCH = Table(
    "usage_batch",
    MetaData(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", Integer),
    Column("event_id", String),
    Column("digest", String),
    Column("first_half", BigInteger),
    Column("second_half", BigInteger),
    Column("occurred_at", UtcDateTime),
    Column("utc_day", Date),
    Column("day", Date),
    Column("meter_id", Integer),
    Column("bucket_id", Integer),
    Column("user", String),
    Column("endpoint", String),
    Column("response_time", Exact),
    Column("quantity", Exact),
    Column("properties", Text),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
_SAME_KEY = keeping.same_key(_BATCH)
# What every batch asks is put together once.
_STATEMENTS = keeping.statements(_BATCH, _BATCH)
_METERS = select(Meter.code, Meter.id).order_by(Meter.id).with_for_update(read=True)
_NAMED: Select[*tuple[Any, ...]] = (
    select(Customer.ref, Customer.public_id, Customer.uuid, Customer.id, rollups.billing_zone().label("zone"))
    .join(Business, Business.id == Customer.business_id)
    .where(
        Customer.merged_into_id.is_(None),
        or_(
            Customer.ref.in_(bindparam("refs", expanding=True)),
            Customer.public_id.in_(bindparam("names", expanding=True)),
            Customer.uuid.in_(bindparam("uuids", expanding=True)),
        ),
    )
    .order_by(Customer.id)
    .with_for_update(read=True)
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch. ``accepted`` counts the new events, late ones among them; ``repeated`` those that we have
    already, with the same content.
    """

    accepted: int
    repeated: int
    late: int
    refused: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class _Organization:
    """A customer that events name. ``zone``: the IANA zone in whose days its usage is billed."""

    customer_id: int
    zone: str


# A customer's id and an event's: its identity.
_Key = tuple[int, str]
_Staged = dict[_Key, Event]


def record(
    session: Session, actor: Actor, given: Sequence[Mapping[str, object]], *, now: datetime, atomic: bool = False
) -> Recorded:
    """Keep the events that can be kept and say why the others cannot. ``atomic``: all of them, or Conflict where an id
    is taken by other content, otherwise Invalid.

    One batch a transaction: only so does everybody lock rows in one order.
    """
    actor.require(Permission.USAGE_WRITE)
    if actor.customer_id is not None:
        raise Forbidden("Whoever is bound to one customer cannot record usage")
    if len(given) > MOST_EVENTS:
        raise Invalid(f"A batch may have at most {MOST_EVENTS:,} events", fields={"events": f"are {len(given):,}"})
    events, refused = _readable(given, now)
    # Meters before customers, as whoever changes a meter's buckets locks them.
    meters = _meters(session)
    organizations = _organizations(session, events)
    kept = _kept_unaddressable(session, events, organizations)
    staged, again, unfit = _distinct(events, organizations, meters, kept)
    refused += unfit
    repeated, late, batch = 0, 0, secrets.randbits(62)
    if staged:
        zones = {organization.customer_id: organization.zone for organization in organizations.values()}
        _stage(session, staged, meters, zones)
        repeated, taken = _identify(session, batch, len(staged))
        known = repeated + len(taken)
        if known < len(staged):
            late = keeping.keep(session, _STATEMENTS, batch, whole=not known, now=now)
        for key, event in [*((key, staged[key]) for key in taken), *again]:
            if problem := _taken(event, taken.get(key), staged[key]):
                refused.append(problem)
            else:
                repeated += 1
    refused.sort(key=lambda one: one.index)
    if refused and atomic:
        refuse(refused)
    recorded = Recorded(len(given) - repeated - len(refused), repeated, late, tuple(refused))
    if recorded.accepted:
        after = {"accepted": recorded.accepted, "repeated": repeated, "late": late, "refused": len(refused)}
        audit.record(session, actor, Permission.USAGE_WRITE, ("usage_batch", batch), after=after, now=now)
    return recorded


def refuse(refused: Sequence[Refusal]) -> NoReturn:
    """Of a batch of which nothing is kept: Conflict where an id is taken by other content, otherwise Invalid."""
    fields: dict[str, str] = {}
    for one in refused:
        named = {f"events.{one.index}.{name}": reason for name, reason in one.fields.items()}
        fields |= named or {f"events.{one.index}": one.error}
    kind = Conflict if any(one.taken for one in refused) else Invalid
    raise kind(f"Nothing was kept. Event {refused[0].index}: {refused[0].error}", fields=fields)


def _readable(given: Sequence[object], now: datetime) -> tuple[list[Event], list[Refusal]]:
    events, refused = [], []
    for index, one in enumerate(given):
        outcome = read(index, one, now=now)
        if isinstance(outcome, Event):
            events.append(outcome)
        else:
            refused.append(outcome)
    return events, refused


def _organizations(session: Session, events: Iterable[Event]) -> dict[tuple[str, str], _Organization]:
    """The customers that the events name, by the field and the name in it. Until the transaction ends nobody changes
    the zone that their usage is billed in, takes an event of theirs back, or bills them.
    """
    refs = {event.organization for event in events if event.named_by == "customer_ref"}
    names = {event.organization for event in events if event.named_by == "organization_id"}
    if not refs | names:
        return {}
    # Letters of a UUID may be capitals; those of the other names are what they are.
    uuids = {name: name.lower() for name in names}
    sought = {"refs": list(refs | names), "names": list(names), "uuids": list(uuids.values())}
    rows = session.execute(_NAMED, sought).all()
    by_ref, by_id, by_uuid = (
        {getattr(row, name): _Organization(row.id, row.zone) for row in rows} for name in ("ref", "public_id", "uuid")
    )
    found = {("customer_ref", ref): by_ref[ref] for ref in refs & by_ref.keys()}
    for name, uuid in uuids.items():
        # Where one customer's key is another's id, the id counts, which is nobody's choice.
        if organization := by_uuid.get(uuid) or by_id.get(name) or by_ref.get(name):
            found["organization_id", name] = organization
    return found


def _kept_unaddressable(
    session: Session, events: Iterable[Event], organizations: Mapping[tuple[str, str], _Organization]
) -> set[_Key]:
    """Those of the events' ids that no address can name, and that were taken before such ids were refused."""
    if not any(event.id in UNADDRESSABLE for event in events):
        return set()
    key = (UsageEventKey.customer_id, UsageEventKey.event_id)
    of_these = UsageEventKey.customer_id.in_({organization.customer_id for organization in organizations.values()})
    statement = select(*key).where(of_these, UsageEventKey.event_id.in_(UNADDRESSABLE))
    return {(row.customer_id, row.event_id) for row in session.execute(statement)}


def _meters(session: Session) -> dict[str, int]:
    """By their codes. Until the transaction ends nobody changes their buckets."""
    return dict(session.execute(_METERS).all())


def _distinct(
    events: Iterable[Event],
    organizations: Mapping[tuple[str, str], _Organization],
    meters: Mapping[str, int],
    kept: Set[_Key],
) -> tuple[_Staged, list[tuple[_Key, Event]], list[Refusal]]:
    """The first event of each id, the further ones, and those that name what we do not know, or have an id that no
    address can name and that is not one of those ``kept``.
    """
    staged: _Staged = {}
    again, refused = [], []
    for event in events:
        organization = organizations.get((event.named_by, event.organization))
        problems = {}
        if organization is None:
            problems[event.named_by] = f"“{event.organization}” is no organization that we know"
        elif event.id in UNADDRESSABLE and (organization.customer_id, event.id) not in kept:
            problems["id"] = UNADDRESSABLE_REASON
        if event.meter not in meters:
            problems["meter"] = f"“{event.meter}” is no meter that we know"
        if organization is None or problems:
            refused.append(refusal(event.index, problems))
            continue
        key = organization.customer_id, event.id
        if staged.setdefault(key, event) is not event:
            again.append((key, event))
    return staged, again, refused


def _taken(event: Event, kept: UsageEventKey | None, first: Event) -> Refusal | None:
    """Why the event's id is not its own: because of the one that we have under it, or the batch's first one."""
    if event.digest == (kept or first).digest:
        return None
    other = f"event {first.index} of this batch" if kept is None else f"an event of {kept.occurred_at.isoformat()}"
    reason = f"“{event.id}” is also that of {other}, which has other content"
    return refusal(event.index, {"id": reason}, taken=True)


def _stage(session: Session, staged: _Staged, meters: Mapping[str, int], zones: Mapping[int, str]) -> None:
    """``zones`` are the customers' billing zones."""
    connection, events = session.connection(), staged.values()
    connection.execute(CreateTable(_BATCH, if_not_exists=True))
    connection.execute(delete(_BATCH))
    utc_days = [event.time[:10] for event in events]
    ensure_months(connection, UsageEvent.__tablename__, set(map(date.fromisoformat, set(utc_days))))
    times = [event.time for event in events]
    if connection.dialect.name == "sqlite":
        times = [f"{time[:10]} {time[11:26]}" for time in times]
    written_digests = [event.digest for event in events]
    columns: list[Sequence[Any]] = [
        [event.index for event in events],
        [customer_id for customer_id, _ in staged],
        [event.id for event in events],
        written_digests,
        *digests.halves(written_digests),
        times,
        utc_days,
        [_billing_day(zones[customer_id], event) for (customer_id, _), event in staged.items()],
        [meters[event.meter] for event in events],
        [NO_BUCKET] * len(staged),
        [event.user for event in events],
        [event.endpoint for event in events],
        [None if event.response_time is None else scaled(event.response_time, PLACES) for event in events],
        [scaled(event.quantity, PLACES) for event in events],
        [event.properties for event in events],
    ]
    loader(connection, _BATCH)(columns)
    buckets.assign(session, _BATCH, {meters[event.meter] for event in events})


def _billing_day(zone: str, event: Event) -> str:
    return event.time[:10] if zone == "UTC" else day_in(zone, event.occurred_at).isoformat()


def _identify(session: Session, batch: int, count: int) -> tuple[int, dict[_Key, UsageEventKey]]:
    """Take the ids that are free of so many. How many of the others are repeats, and by its key each that has other
    content.
    """
    if keeping.take_ids(session, _BATCH, batch) == count:
        return 0, {}
    known = select(func.count()).join_from(_BATCH, UsageEventKey, _SAME_KEY).where(UsageEventKey.batch != batch)
    repeated = session.scalar(known.where(UsageEventKey.digest == _BATCH.c.digest)) or 0
    taken = select(UsageEventKey).join_from(_BATCH, UsageEventKey, _SAME_KEY)
    differing = taken.where(UsageEventKey.batch != batch, UsageEventKey.digest != _BATCH.c.digest)
    return repeated, {(key.customer_id, key.event_id): key for key in session.scalars(differing)}
