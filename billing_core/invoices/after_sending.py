"""What happens to an invoice after it is sent: viewed, overdue, held from reminders, cancelled."""

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.dates import day_in
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, postings, queries
from billing_core.invoices.lifecycle import CANCELLED, OPEN, PAID, Change, named
from billing_core.invoices.models import EventKind, Invoice
from billing_core.money import Money
from billing_core.text import reason_of


def cancel(session: Session, actor: Actor, invoice_id: int, *, now: datetime, today: date, reason: str = "") -> Invoice:
    """Cancel an invoice that received no money. It keeps number and document; its postings are reversed.

    Conflict where money came in for it, or it is paid or cancelled already.
    """
    actor.require(Permission.INVOICE_WRITE)
    invoice = queries.for_change(session, actor, invoice_id)
    if invoice.state is PAID:
        raise Conflict(f"{named(invoice)} is paid: refund it instead")
    if invoice.paid_minor:
        paid = Money(invoice.paid_minor, invoice.currency)
        raise Conflict(f"{named(invoice)} has received {paid}: undo or refund that payment first")
    if invoice.written_off_minor and invoice.state is OPEN:
        raise Conflict(f"A part of {named(invoice)} was written off: undo that first")
    why = reason_of(reason) if reason.strip() else ""
    entry = postings.cancelling(session, invoice, effective_on=today) if invoice.state is OPEN else None
    cancelled = Change(invoice, {"cancelled_at": now}, to=CANCELLED, data={"reason": why} if why else None, entry=entry)
    lifecycle.change(session, actor, [cancelled], event=EventKind.CANCELLED, now=now)
    return invoice


def mark_viewed(session: Session, token: str, *, now: datetime) -> bool:
    """The customer has opened the link; returns whether it was the first time. Not for drafts or cancelled ones."""
    seen = queries.by_token(session, token)
    if seen.viewed_at is not None or seen.state not in (OPEN, PAID):
        return False
    customer = Actor(None, seen.customer_name or "The customer", frozenset(), seen.customer_id)
    invoice = queries.for_change(session, customer, seen.id)
    if invoice.viewed_at is not None or invoice.state not in (OPEN, PAID):
        return False
    viewed = Change(invoice, {"viewed_at": now})
    lifecycle.change(session, customer, [viewed], event=EventKind.VIEWED, action="invoice.view", now=now)
    return True


def set_viewed(session: Session, actor: Actor, invoice_id: int, *, now: datetime) -> Invoice:
    """Record by hand that the customer has seen it; an earlier view is kept."""
    actor.require(Permission.INVOICE_WRITE)
    invoice = _open(session, actor, invoice_id)
    if invoice.viewed_at is None:
        viewed = Change(invoice, {"viewed_at": now})
        lifecycle.change(session, actor, [viewed], event=EventKind.VIEWED, now=now)
    return invoice


def mark_overdue(session: Session, actor: Actor, invoice_id: int, *, now: datetime) -> Invoice:
    """Count an open invoice as overdue before its due date; one that is overdue already stays as it is."""
    actor.require(Permission.INVOICE_WRITE)
    invoice = _open(session, actor, invoice_id)
    yesterday = day_in(businesses.one(session, invoice.business_id).time_zone, now) - timedelta(days=1)
    if invoice.late_after > yesterday:
        marked = Change(invoice, {"marked_overdue_at": now, "marked_late_after": yesterday})
        lifecycle.change(session, actor, [marked], event=EventKind.MARKED_OVERDUE, now=now)
    return invoice


def hold(
    session: Session, actor: Actor, invoice_id: int, *, until: date, reason: str, now: datetime, today: date
) -> Invoice:
    """Send no reminders of this invoice up to and including that day."""
    actor.require(Permission.REMINDER_WRITE)
    why = reason_of(reason)[:200]
    if until < today:
        raise Invalid("The hold would be over already", fields={"until": "lies in the past"})
    invoice = _open(session, actor, invoice_id)
    held = Change(
        invoice,
        {"held_until": until, "hold_reason": why},
        data={"until": until.isoformat(), "reason": why},
    )
    action = Permission.REMINDER_WRITE
    lifecycle.change(session, actor, [held], event=EventKind.HELD, action=action, now=now)
    return invoice


def release(session: Session, actor: Actor, invoice_id: int, *, now: datetime) -> Invoice:
    """End an invoice's hold on reminders."""
    actor.require(Permission.REMINDER_WRITE)
    invoice = queries.for_change(session, actor, invoice_id)
    if invoice.held_until is not None:
        released = Change(invoice, {"held_until": None, "hold_reason": ""})
        action = Permission.REMINDER_WRITE
        lifecycle.change(session, actor, [released], event=EventKind.RELEASED, action=action, now=now)
    return invoice


def _open(session: Session, actor: Actor, invoice_id: int) -> Invoice:
    invoice = queries.for_change(session, actor, invoice_id)
    if invoice.state is not OPEN:
        raise Conflict(f"{named(invoice)} is not open, but {invoice.state.value}")
    return invoice
