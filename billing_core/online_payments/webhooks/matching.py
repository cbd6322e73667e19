"""Matching an event to the invoice, the link and the payment that it names, under lock."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.dates import day_in
from billing_core.identity import SYSTEM
from billing_core.invoices import queries as invoices
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode, PaymentLink
from billing_core.online_payments.models import PaymentCase
from billing_core.online_payments.webhooks.events import Refs
from billing_core.payments.models import Allocation, Payment


@dataclass(slots=True)
class Match:
    """The invoice of an event, and its link where there is one; both locked."""

    invoice: Invoice
    link: PaymentLink | None
    mode: Mode
    now: datetime
    zone: str

    def day(self, instant: datetime) -> date:
        return min(day_in(self.zone, instant), self.today)

    @property
    def today(self) -> date:
        return day_in(self.zone, self.now)


def match_for(session: Session, refs: Refs, mode: Mode, now: datetime) -> Match | None:
    """The event's match, None where it is not ours. The customer is locked first, then the invoice, then the link."""
    link_id, invoice_id = _found(session, refs, mode)
    if invoice_id is None:
        return None
    customer_id = session.scalar(select(Invoice.customer_id).where(Invoice.id == invoice_id))
    if customer_id is None:
        return None
    customers.for_change(session, SYSTEM, customer_id)
    invoice = invoices.for_change(session, SYSTEM, invoice_id)
    locked = select(PaymentLink).where(PaymentLink.id == link_id).with_for_update()
    link = session.scalars(locked.execution_options(populate_existing=True)).one() if link_id is not None else None
    zone = businesses.one(session, invoice.business_id).time_zone
    return Match(invoice, link, mode, now, zone)


def _found(session: Session, refs: Refs, mode: Mode) -> tuple[int | None, int | None]:
    """(link, invoice) by the most reliable id of the event. A link of another mode does not match."""
    by_name = (
        (refs.link_id, PaymentLink.public_id == refs.link_id),
        (refs.gateway_link_id, PaymentLink.gateway_id == refs.gateway_link_id),
        (
            refs.stripe_invoice_id,
            or_(
                PaymentLink.gateway_id == refs.stripe_invoice_id,
                PaymentLink.stripe_invoice_id == refs.stripe_invoice_id,
            ),
        ),
    )
    for name, condition in by_name:
        if name:
            statement = select(PaymentLink.id, PaymentLink.invoice_id, PaymentLink.mode).where(condition)
            row = session.execute(statement.order_by(PaymentLink.id.desc()).limit(1)).one_or_none()
            if row is not None:
                return (row.id, row.invoice_id) if row.mode is mode else (None, None)
    if refs.invoice_id:
        return None, session.scalar(select(Invoice.id).where(Invoice.public_id == refs.invoice_id))
    return None, None


def payment_named(session: Session, *, key: str, charge_id: str = "") -> Payment | None:
    """The payment with these gateway ids; None where there are no ids, which every payment would match."""
    names = [Payment.gateway_key == key, Payment.intent_id == key] if key else []
    if charge_id:
        names += [Payment.charge_id == charge_id, Payment.gateway_key == charge_id]
    if not names:
        return None
    return session.scalars(select(Payment).where(or_(*names)).order_by(Payment.id).limit(1)).one_or_none()


def invoice_of(session: Session, payment_id: int) -> int | None:
    """The invoice that the payment paid, or was meant for."""
    paid = select(Allocation.invoice_id).where(Allocation.payment_id == payment_id).order_by(Allocation.id)
    meant = select(PaymentCase.invoice_id).where(
        PaymentCase.payment_id == payment_id, PaymentCase.invoice_id.is_not(None)
    )
    return session.scalar(paid.limit(1)) or session.scalar(meant.order_by(PaymentCase.id).limit(1))


def name_invoice(session: Session, match: Match, stripe_invoice_id: str) -> None:
    """Store the gateway's id of the invoice, without a new version: an open editor need not reload."""
    if match.invoice.stripe_invoice_id != stripe_invoice_id:
        of_it = update(Invoice).where(Invoice.id == match.invoice.id)
        session.execute(of_it.values(stripe_invoice_id=stripe_invoice_id, version=Invoice.version))
        set_committed_value(match.invoice, "stripe_invoice_id", stripe_invoice_id)
    if match.link is not None and match.link.stripe_invoice_id is None:
        match.link.stripe_invoice_id = stripe_invoice_id
