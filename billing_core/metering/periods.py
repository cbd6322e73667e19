"""Billed periods of customers' usage: which stand, and which are billed anew because their invoice was cancelled."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    and_,
    column,
    insert,
    select,
    table,
    true,
    update,
)
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.dates import Period, start_of_day
from billing_core.metering.models import LateItem, LateKind, UsageEvent, UsagePeriod

# By its columns' names: invoices stand below this room.
_INVOICES: Final = table(
    "invoices",
    column("id", Integer),
    column("state", String),
    column("written_off_minor", BigInteger),
    column("credited_minor", BigInteger),
    column("total_minor", BigInteger),
)


def is_gone(invoice: Any = _INVOICES.c) -> ColumnElement[bool]:
    """In SQL: the invoice was cancelled or discarded, and bills nothing any more. One that was written off was owed,
    and one that credit notes took back whole was corrected: what they billed is billed.
    """
    return and_(
        invoice.state == "cancelled", invoice.written_off_minor == 0, invoice.credited_minor < invoice.total_minor
    )


def standing() -> Select[*tuple[Any, ...]]:
    """Selects customer_id, first_day and last_day of the periods that stand, and whose invoices do."""
    gone = select(_INVOICES.c.id).where(_INVOICES.c.id == UsagePeriod.invoice_id, is_gone())
    return select(UsagePeriod.customer_id, UsagePeriod.first_day, UsagePeriod.last_day).where(
        UsagePeriod.replaced_at.is_(None), ~gone.exists()
    )


def billed_on(session: Session, customer_id: int, first_day: date, last_day: date | None) -> Period | None:
    """The first billed period of the customer that shares one of these days (None: without end)."""
    statement = standing().where(
        UsagePeriod.customer_id == customer_id,
        UsagePeriod.last_day >= first_day,
        true() if last_day is None else UsagePeriod.first_day <= last_day,
    )
    found = session.execute(statement.order_by(UsagePeriod.first_day).limit(1)).one_or_none()
    return None if found is None else Period(found.first_day, found.last_day)


def overlapping(session: Session, customer_ids: Collection[int], period: Period) -> list[UsagePeriod]:
    """The standing ones of these customers that share a day with this period, by customer and day."""
    statement = select(UsagePeriod).where(
        among(UsagePeriod.customer_id, customer_ids),
        UsagePeriod.replaced_at.is_(None),
        period.overlaps(UsagePeriod.first_day, UsagePeriod.last_day),
    )
    return list(session.scalars(statement.order_by(UsagePeriod.customer_id, UsagePeriod.first_day)))


def note_withdrawn(session: Session, event: UsageEvent, day: date, *, now: datetime) -> None:
    """Where the event's billing-zone ``day`` is billed, its withdrawal is an item of that period. The customer is
    locked.
    """
    for period in overlapping(session, [event.customer_id], Period(day, day)):
        item = {
            "period_id": period.id,
            "kind": LateKind.WITHDRAWN,
            "customer_id": event.customer_id,
            "event_id": event.event_id,
            "occurred_at": event.occurred_at,
            "day": day,
            "meter_id": event.meter_id,
            "bucket_id": event.bucket_id,
            "user": event.user,
            "calls": -1,
            "quantity": -event.quantity,
            "noticed_at": now,
        }
        session.execute(insert(cast("Table", LateItem.__table__)).values(item))


def replace(session: Session, periods: Sequence[UsagePeriod], zones: dict[int, str], *, now: datetime) -> None:
    """They stand no longer, and what came late for them is no longer late. ``zones`` are their customers' billing
    zones; the customers are locked.
    """
    events = cast("Table", UsageEvent.__table__)
    for period in periods:
        period.replaced_at = now
        zone = zones[period.customer_id]
        end = start_of_day(zone, period.last_day + timedelta(days=1))
        in_it = (events.c.occurred_at >= start_of_day(zone, period.first_day), events.c.occurred_at < end)
        theirs = update(events).where(events.c.customer_id == period.customer_id, *in_it, events.c.late)
        session.execute(theirs.values(late=False))
    session.flush()
