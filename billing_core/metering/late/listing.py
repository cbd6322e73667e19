"""The events that changed billed periods, also those that are archived by now: their late items stay."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import case, func, literal, select, tuple_
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.types import UtcDateTime
from billing_core.identity.permissions import Actor, Permission
from billing_core.metering.models import LateItem, LateKind, Meter, MeterBucket, UsageEvent, UsageEventKey


@dataclass(frozen=True, slots=True)
class LateEvent:
    """An event that came after its period was billed, or was taken back from one that was; the fields as in
    ``EventRow``. Of an archived one ``endpoint``, ``response_time``, ``quantity``, ``properties`` and ``received_at``
    are None, and ``archived`` says so.
    """

    customer_id: int
    organization_id: str
    customer_ref: str
    id: str
    occurred_at: datetime
    meter: str
    user: str
    endpoint: str | None
    response_time: Decimal | None
    quantity: Decimal | None
    properties: str | None
    received_at: datetime | None
    late: bool
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    bucket: str | None
    archived: bool


def late_events(
    session: Session, actor: Actor, *, after_event: tuple[int, datetime, str] | None = None, limit: int = 100
) -> list[LateEvent]:
    """Of every customer that this actor sees, in the order of customer and time. ``after_event``: the customer's id,
    time and id of the last one that was seen.
    """
    actor.require(Permission.USAGE_READ)
    key = (LateItem.customer_id, LateItem.occurred_at, LateItem.event_id)
    arrived = func.max(case((LateItem.kind == LateKind.ARRIVED, 1), else_=0))
    # All items of an event are of its one meter and user, and of its bucket where it is archived.
    told = (func.min(getattr(LateItem, name)).label(name) for name in ("meter_id", "bucket_id", "user"))
    found = select(*key, *told, arrived.label("arrived")).where(visible_to(actor, LateItem.customer_id)).group_by(*key)
    if after_event is not None:
        customer_id, occurred_at, event_id = after_event
        seen = tuple_(literal(customer_id), literal(occurred_at, UtcDateTime), literal(event_id))
        found = found.where(tuple_(*key) > seen)
    listed = found.order_by(*key).limit(limit).subquery("listed")
    same = (UsageEvent.customer_id == listed.c.customer_id) & (UsageEvent.event_id == listed.c.event_id)
    statement = (
        select(
            listed.c.customer_id,
            Customer.uuid,
            Customer.ref,
            listed.c.event_id,
            listed.c.occurred_at,
            Meter.code,
            listed.c.user,
            UsageEvent.endpoint,
            UsageEvent.response_time,
            UsageEvent.quantity,
            UsageEvent.properties,
            UsageEvent.received_at,
            func.coalesce(UsageEvent.late, listed.c.arrived == 1),
            UsageEventKey.withdrawn_at,
            UsageEventKey.withdrawn_reason,
            MeterBucket.code,
            UsageEvent.event_id.is_(None),
        )
        .join_from(listed, Customer, Customer.id == listed.c.customer_id)
        .join(Meter, Meter.id == listed.c.meter_id)
        .join(
            UsageEventKey,
            (UsageEventKey.customer_id == listed.c.customer_id) & (UsageEventKey.event_id == listed.c.event_id),
        )
        .outerjoin(UsageEvent, same & (UsageEvent.occurred_at == listed.c.occurred_at))
        .outerjoin(MeterBucket, MeterBucket.id == func.coalesce(UsageEvent.bucket_id, listed.c.bucket_id))
        .order_by(listed.c.customer_id, listed.c.occurred_at, listed.c.event_id)
    )
    return [LateEvent(*row) for row in session.execute(statement)]
