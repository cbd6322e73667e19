"""Taking an event back: it counts nowhere any more, and its id stays taken."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries as customers
from billing_core.dates import day_in
from billing_core.errors import Conflict, Forbidden, NotFound
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering import digests, rollups
from billing_core.metering.late import noticing
from billing_core.metering.models import UsageArchive, UsageEvent, UsageEventKey
from billing_core.text import reason_of


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An event that was taken back."""

    customer_id: int
    event_id: str
    occurred_at: datetime
    withdrawn_at: datetime
    reason: str


def withdraw(
    session: Session, actor: Actor, customer_id: int, event_id: str, *, reason: str, now: datetime
) -> Withdrawn:
    """Take one event back. NotFound where the customer has none with this id, Conflict the second time."""
    actor.require(Permission.USAGE_WRITE)
    if actor.customer_id is not None:
        raise Forbidden("Whoever is bound to one customer cannot withdraw usage")
    why = reason_of(reason)
    # As it was kept.
    event_id = event_id.strip()
    # Nobody records events of this customer meanwhile: the user's first event is looked for below.
    customer = customers.for_change(session, actor, customer_id)
    key = None if "\0" in event_id else session.get(UsageEventKey, (customer_id, event_id), with_for_update=True)
    if key is None:
        raise NotFound(f"{customer.name} has no event “{event_id[:255]}”")
    if key.withdrawn_at is not None:
        raise Conflict(f"The event “{event_id}” was withdrawn on {key.withdrawn_at.date().isoformat()} already")
    if key.archive_id is not None:
        archive = session.get_one(UsageArchive, key.archive_id)
        raise Conflict(f"The event “{event_id}” is archived: {archive.file} has to be brought back first")
    event = session.get_one(UsageEvent, (customer_id, key.occurred_at, event_id))
    place = (UsageEvent.occurred_at == key.occurred_at, UsageEvent.event_id == event_id)
    counted = rollups.counted_events().where(UsageEvent.customer_id == customer_id, *place).subquery("taken_back")
    zones = rollups.billing_zones(session, [customer_id])
    rollups.subtract(session, counted, zones, key.occurred_at, key.occurred_at)
    digests.subtract(session, key)
    (zone,) = rollups.billing_zones(session, [customer_id])
    noticing.note_withdrawn(session, event, day_in(zone, event.occurred_at), now=now)
    key.withdrawn_at, key.withdrawn_reason = now, why
    session.flush()
    rollups.recount_user(session, customer_id, event.user)
    taken_back = {"event": event_id, "occurred_at": key.occurred_at.isoformat(), "reason": why}
    subject = ("customer", customer_id)
    audit.record(session, actor, Permission.USAGE_WRITE, subject, label=customer.name, after=taken_back, now=now)
    return Withdrawn(customer_id, event_id, key.occurred_at, now, why)
