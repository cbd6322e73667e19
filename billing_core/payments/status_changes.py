"""Setting an invoice's published status, as programs do: the possible changes, and what each does."""

from datetime import date, datetime
from typing import Final

from sqlalchemy.orm import Session

from billing_core.customers import queries as customers
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices import after_sending, lifecycle, queries, service
from billing_core.invoices.lifecycle import CANCELLED, DRAFT, OPEN, InvoiceStatus, named
from billing_core.invoices.models import Invoice
from billing_core.invoices.service import Details
from billing_core.payments import received, sending
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received

# Point 12 of the settled contradictions. Overdue becomes sent by the due date, paid becomes refunded by a refund.
ALLOWED: Final[dict[InvoiceStatus, frozenset[InvoiceStatus]]] = {
    InvoiceStatus.DRAFT: frozenset({InvoiceStatus.SENT, InvoiceStatus.PAID, InvoiceStatus.CANCELLED}),
    InvoiceStatus.SENT: frozenset(
        {InvoiceStatus.VIEWED, InvoiceStatus.PAID, InvoiceStatus.OVERDUE, InvoiceStatus.CANCELLED}
    ),
    InvoiceStatus.VIEWED: frozenset({InvoiceStatus.PAID, InvoiceStatus.OVERDUE, InvoiceStatus.CANCELLED}),
    InvoiceStatus.OVERDUE: frozenset({InvoiceStatus.PAID, InvoiceStatus.CANCELLED}),
    InvoiceStatus.PAID: frozenset(),
    InvoiceStatus.REFUNDED: frozenset(),
    InvoiceStatus.CANCELLED: frozenset(),
}


def locked(session: Session, actor: Actor, invoice_id: int, target: InvoiceStatus | None = None) -> Invoice:
    """The invoice with all that ``update`` needs locked, so that the caller can check it first."""
    if target in (InvoiceStatus.SENT, InvoiceStatus.PAID):
        # Payments and credit lock the customer first; the other order could deadlock.
        customers.for_change(session, actor, queries.one(session, actor, invoice_id).customer_id)
    return queries.for_change(session, actor, invoice_id)


def update(
    session: Session,
    actor: Actor,
    invoice_id: int,
    details: Details,
    target: InvoiceStatus | None,
    *,
    now: datetime,
    today: date,
) -> Payment | None:
    """Change details, and then the status; returns the payment that was recorded with it, if one was. Conflict where
    the invoice is paid or cancelled, or this status change is not possible; then nothing is changed.
    """
    actor.require(Permission.INVOICE_WRITE)
    invoice = locked(session, actor, invoice_id, target)
    before = lifecycle.status(invoice, today)
    if before is InvoiceStatus.REFUNDED and target is before and details == Details():
        return None
    if details != Details() or target is None:
        invoice = service.update_details(session, actor, invoice_id, details, now=now, today=today)
    if target is None:
        return None
    status = lifecycle.status(invoice, today)
    if status is target and invoice.state in (DRAFT, OPEN):
        return None
    if target is InvoiceStatus.SENT and before is InvoiceStatus.OVERDUE and status is not before:
        return None
    if target not in ALLOWED[status]:
        raise Conflict(_refusal(invoice, status, target), fields={"status": f"cannot become {target} from {status}"})
    return _set(session, actor, invoice, target, now=now, today=today)


def cancel(session: Session, actor: Actor, invoice_id: int, *, now: datetime, today: date) -> None:
    """Cancel it. A draft that never had a number is discarded, which leaves no gap."""
    actor.require(Permission.INVOICE_WRITE)
    invoice = queries.for_change(session, actor, invoice_id)
    if invoice.state is CANCELLED:
        raise Conflict(f"{named(invoice)} is cancelled already")
    if invoice.state is DRAFT and not invoice.number:
        service.discard(session, actor, invoice_id, now=now)
    else:
        after_sending.cancel(session, actor, invoice_id, now=now, today=today)


def _set(
    session: Session, actor: Actor, invoice: Invoice, target: InvoiceStatus, *, now: datetime, today: date
) -> Payment | None:
    match target:
        case InvoiceStatus.CANCELLED:
            cancel(session, actor, invoice.id, now=now, today=today)
        case InvoiceStatus.SENT:
            sending.send(session, actor, invoice.id, now=now)
        case InvoiceStatus.VIEWED:
            after_sending.set_viewed(session, actor, invoice.id, now=now)
        case InvoiceStatus.OVERDUE:
            after_sending.mark_overdue(session, actor, invoice.id, now=now)
        case InvoiceStatus.PAID:
            return _pay(session, actor, invoice, now=now, today=today)
    return None


def _pay(session: Session, actor: Actor, invoice: Invoice, *, now: datetime, today: date) -> Payment | None:
    """Record by hand that the amount due has come in."""
    if invoice.state is DRAFT:
        invoice = sending.send(session, actor, invoice.id, now=now)
    if not invoice.due_minor:
        return None
    whole = Received(invoice.currency, invoice.due_minor, PaymentMethod.OTHER, today)
    return received.record_for(session, actor, invoice.id, received=whole, today=today, now=now)


def _refusal(invoice: Invoice, status: InvoiceStatus, target: InvoiceStatus) -> str:
    refusal = f"{named(invoice)} is {status} and cannot become {target}"
    match status, target:
        case InvoiceStatus.OVERDUE, InvoiceStatus.SENT:
            return f"{refusal}: move its due date into the future"
        case InvoiceStatus.PAID, InvoiceStatus.REFUNDED:
            return f"{refusal} by itself: refund its payment"
        case InvoiceStatus.PAID, InvoiceStatus.CANCELLED:
            return f"{refusal}: refund it instead"
        case _:
            return refusal
