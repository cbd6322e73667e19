"""Events of invoices, sent to webhook endpoints as the published events."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.dates import Day, passed, usual_day
from billing_core.identity import Actor
from billing_core.invoices.models import EventKind, Invoice, InvoiceState
from billing_core.outgoing_webhooks.models import EventType
from billing_core.outgoing_webhooks.publishing import Announcement, announce

# Events not listed here, such as a mail that was sent, change nothing that the APIs show.
_TYPES: Final = {
    EventKind.CREATED: EventType.INVOICE_CREATED,
    EventKind.EDITED: EventType.INVOICE_UPDATED,
    EventKind.SENT: EventType.INVOICE_SENT,
    EventKind.VIEWED: EventType.INVOICE_VIEWED,
    EventKind.MARKED_OVERDUE: EventType.INVOICE_OVERDUE,
    EventKind.PAYMENT: EventType.INVOICE_UPDATED,
    EventKind.PAYMENT_UNDONE: EventType.INVOICE_UPDATED,
    EventKind.PAYMENT_FAILED: EventType.INVOICE_PAYMENT_FAILED,
    EventKind.CREDIT_APPLIED: EventType.INVOICE_UPDATED,
    EventKind.CREDIT_NOTE: EventType.INVOICE_UPDATED,
    EventKind.REFUNDED: EventType.INVOICE_REFUNDED,
    EventKind.WRITTEN_OFF: EventType.INVOICE_UPDATED,
    EventKind.WRITE_OFF_UNDONE: EventType.INVOICE_UPDATED,
    EventKind.CANCELLED: EventType.INVOICE_CANCELLED,
    EventKind.LINK_CREATED: EventType.INVOICE_UPDATED,
    EventKind.LINK_ENDED: EventType.INVOICE_UPDATED,
}
_BY_STATE: Final = {InvoiceState.PAID: EventType.INVOICE_PAID, InvoiceState.CANCELLED: EventType.INVOICE_CANCELLED}
# A process that was down for a few days catches up.
_LATE: Final = timedelta(days=3)


def changed(
    session: Session,
    actor: Actor,
    invoices: Iterable[tuple[int, int, InvoiceState | None]],
    event: EventKind | None,
    *,
    now: datetime,
) -> None:
    """Send the same event of some invoices: (id, customer id, the new state, None where it stayed)."""
    announcements = [
        Announcement(kind, ("invoice", invoice_id), customer_id)
        for invoice_id, customer_id, became in invoices
        for kind in _types(event, became)
    ]
    announce(session, actor, announcements, now=now)


def overdue(session: Session, actor: Actor, *, today: Day, now: datetime) -> int:
    """Send the event of open invoices whose due date has just passed, each once however often this runs.

    What was late before its due date was told of when it became so.
    """
    late = select(Invoice.id, Invoice.customer_id, Invoice.late_after).where(
        Invoice.state == InvoiceState.OPEN,
        passed(Invoice.late_after, Invoice.business_id, today),
        Invoice.late_after >= usual_day(today) - _LATE,
        Invoice.late_after == Invoice.due_on,
    )
    announcements = [
        Announcement(
            EventType.INVOICE_OVERDUE,
            ("invoice", row.id),
            row.customer_id,
            event_id=f"evt_overdue_{row.id}_{row.late_after:%Y%m%d}",
        )
        for row in session.execute(late)
    ]
    return announce(session, actor, announcements, now=now)


def _types(event: EventKind | None, became: InvoiceState | None) -> list[EventType]:
    event_type = _TYPES.get(event) if event else None
    by_state = _BY_STATE.get(became) if became else None
    if event is EventKind.SENT:
        return [EventType.INVOICE_SENT, *([EventType.INVOICE_PAID] if became is InvoiceState.PAID else [])]
    # "Paid" says more than "updated", and is sent alone.
    return [kind for kind in (by_state or event_type,) if kind]
