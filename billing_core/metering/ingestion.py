"""Recording a batch of events: each once, whoever sends it however often, with the totals that are kept of it."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from billing_core.audit import service as audit
from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database.partitions import ensure_months
from billing_core.database.types import UtcDateTime
from billing_core.database.upserts import insert_into
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import rollups
from billing_core.metering.models import Exact, Meter, UsageEvent, UsageEventKey, UsagePeriod
from billing_core.metering.reading import Event, Refusal, read, refusal

MOST_EVENTS = 10_000

# A connection's own, and emptied by each batch.
_BATCH = Table(
    "usage_batch",
    MetaData(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", Integer),
    Column("event_id", String),
    Column("digest", String),
    Column("occurred_at", UtcDateTime),
    Column("meter_id", Integer),
    Column("user", String),
    Column("endpoint", String),
    Column("response_time", Exact),
    Column("quantity", Exact),
    Column("properties", Text),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
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


_Staged = dict[tuple[int, str], Event]


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
    organizations, meters = _organizations(session, events), _meters(session)
    staged, repeated, unfit = _distinct(events, organizations, meters)
    refused += unfit
    late, batch = 0, secrets.randbits(62)
    if staged:
        _stage(session, staged, meters)
        again, taken = _identify(session, staged, batch)
        repeated, refused = repeated + again, refused + taken
        late = _keep(session, batch, staged.values(), {each.zone for each in organizations.values()}, now=now)
    refused.sort(key=lambda one: one.index)
    if refused and atomic:
        _refuse(refused)
    recorded = Recorded(len(given) - repeated - len(refused), repeated, late, tuple(refused))
    if recorded.accepted:
        after = {"accepted": recorded.accepted, "repeated": repeated, "late": late, "refused": len(refused)}
        audit.record(session, actor, Permission.USAGE_WRITE, ("usage_batch", batch), after=after, now=now)
    return recorded


def _refuse(refused: Sequence[Refusal]) -> NoReturn:
    fields = {
        f"events.{one.index}.{name}": reason
        for one in refused
        for name, reason in (one.fields or {"": one.error}).items()
    }
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
    columns = (Customer.ref, Customer.public_id, Customer.uuid)
    statement: Select[*tuple[Any, ...]] = (
        select(*columns, Customer.id, rollups.billing_zone().label("zone"))
        .join(Business, Business.id == Customer.business_id)
        .where(or_(Customer.ref.in_(refs | names), Customer.public_id.in_(names), Customer.uuid.in_(names)))
        .order_by(Customer.id)
        .with_for_update(read=True)
    )
    found: dict[tuple[str, str], _Organization] = {}
    rows = session.execute(statement).all()
    # Where one customer's key is another's id, the id counts, which is nobody's choice.
    for column in columns:
        for row in rows:
            found["organization_id", getattr(row, column.key)] = _Organization(row.id, row.zone)
    for row in rows:
        found["customer_ref", row.ref] = _Organization(row.id, row.zone)
    return found


def _meters(session: Session) -> dict[str, int]:
    return dict(session.execute(select(Meter.code, Meter.id)).all())


def _distinct(
    events: Iterable[Event], organizations: Mapping[tuple[str, str], _Organization], meters: Mapping[str, int]
) -> tuple[_Staged, int, list[Refusal]]:
    """The events that may be new, each once; how many of the others repeat one of them; and those that do not fit."""
    staged: _Staged = {}
    repeated, refused = 0, []
    for event in events:
        organization = organizations.get((event.named_by, event.organization))
        problems = {}
        if organization is None:
            problems[event.named_by] = f"“{event.organization}” is no organization that we know"
        if event.meter not in meters:
            problems["meter"] = f"“{event.meter}” is no meter that we know"
        if organization is None or problems:
            refused.append(refusal(event.index, problems))
            continue
        first = staged.setdefault((organization.customer_id, event.id), event)
        if first is not event and first.digest == event.digest:
            repeated += 1
        elif first is not event:
            reason = f"“{event.id}” is also that of event {first.index} of this batch, which has other content"
            refused.append(refusal(event.index, {"id": reason}, taken=True))
    return staged, repeated, refused


def _stage(session: Session, staged: _Staged, meters: Mapping[str, int]) -> None:
    connection = session.connection()
    ensure_months(connection, UsageEvent.__tablename__, {event.occurred_at.date() for event in staged.values()})
    session.execute(CreateTable(_BATCH, if_not_exists=True))
    session.execute(delete(_BATCH))
    rows = [
        {
            "position": event.index,
            "customer_id": customer_id,
            "event_id": event.id,
            "digest": event.digest,
            "occurred_at": event.occurred_at,
            "meter_id": meters[event.meter],
            "user": event.user,
            "endpoint": event.endpoint,
            "response_time": event.response_time,
            "quantity": event.quantity,
            "properties": event.properties,
        }
        for (customer_id, _), event in staged.items()
    ]
    session.execute(insert(_BATCH), rows)


def _identify(session: Session, staged: _Staged, batch: int) -> tuple[int, list[Refusal]]:
    """Take the ids that are free. How many of the others are repeats, and those whose id is another event's.

    On PostgreSQL whoever takes the same ids waits here until the first of them is done.
    """
    names = ["customer_id", "event_id", "digest", "occurred_at"]
    rows = select(*(_BATCH.c[name] for name in names), literal(batch)).order_by(_BATCH.c.customer_id, _BATCH.c.event_id)
    taking = insert_into(session, UsageEventKey).from_select([*names, "batch"], rows).on_conflict_do_nothing()
    session.execute(taking)
    same_key = (UsageEventKey.customer_id == _BATCH.c.customer_id) & (UsageEventKey.event_id == _BATCH.c.event_id)
    known = select(func.count()).select_from(_BATCH).join(UsageEventKey, same_key).where(UsageEventKey.batch != batch)
    other = UsageEventKey.digest != _BATCH.c.digest
    repeated = session.scalar(known.where(~other)) or 0
    taken = known.where(other).with_only_columns(_BATCH.c.customer_id, _BATCH.c.event_id, UsageEventKey.occurred_at)
    refused = []
    for customer_id, event_id, occurred_at in session.execute(taken):
        reason = f"“{event_id}” is that of an event of {occurred_at.isoformat()} that we have, which has other content"
        refused.append(refusal(staged[customer_id, event_id].index, {"id": reason}, taken=True))
    return repeated, refused


def _keep(session: Session, batch: int, events: Collection[Event], zones: Iterable[str], *, now: datetime) -> int:
    """Write the events whose ids this batch took, and count them. Returns how many are late."""
    same_key = (UsageEventKey.customer_id == _BATCH.c.customer_id) & (UsageEventKey.event_id == _BATCH.c.event_id)
    fresh = select(_BATCH).join(UsageEventKey, same_key).where(UsageEventKey.batch == batch).subquery("fresh")
    first, last = (end(event.occurred_at for event in events) for end in (min, max))
    dated = rollups.in_billing_zone(session, fresh, zones, first, last)
    late = exists().where(
        UsagePeriod.customer_id == dated.c.customer_id, dated.c.day.between(UsagePeriod.first_day, UsagePeriod.last_day)
    )
    names = [
        "customer_id",
        "occurred_at",
        "event_id",
        "meter_id",
        "user",
        "endpoint",
        "response_time",
        "quantity",
        "properties",
    ]
    rows = select(*(dated.c[name] for name in names), literal(now, UtcDateTime), late)
    session.execute(insert(UsageEvent).from_select([*names, "received_at", "late"], rows))
    rollups.add(session, fresh, zones, first, last)
    counted = select(func.count()).select_from(dated).where(late)
    return session.scalar(counted) or 0
