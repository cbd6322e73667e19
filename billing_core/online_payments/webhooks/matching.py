"""Matching an event to the invoice, the link or attempt, and the payment that it names, under lock."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.dates import day_in
from billing_core.errors import NotFound
from billing_core.identity import SYSTEM, Actor
from billing_core.invoices import queries as invoices
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode, PaymentLink
from billing_core.money import Money
from billing_core.online_payments.models import ChargeAttempt, PaymentCase, PaymentMethodOnFile, WebhookEvent
from billing_core.online_payments.webhooks import events
from billing_core.online_payments.webhooks.facts import Failed, Refs
from billing_core.payments.models import Allocation, Payment


@dataclass(slots=True)
class Match:
    """The invoice of an event, and the link or attempt by which it was to be paid, where there is one; all locked."""

    invoice: Invoice
    link: PaymentLink | None
    attempt: ChargeAttempt | None
    mode: Mode
    now: datetime
    zone: str

    @property
    def asked(self) -> tuple[str, Money] | None:
        """By what the customer was to pay, and how much; it does not change."""
        if self.link is not None:
            return "whose link asked for", Money(self.link.amount_minor, self.link.currency)
        if self.attempt is not None:
            return "to which a card was charged", Money(self.attempt.amount_minor, self.attempt.currency)
        return None

    def day(self, instant: datetime) -> date:
        return min(day_in(self.zone, instant), self.today)

    @property
    def today(self) -> date:
        return day_in(self.zone, self.now)


def match_for(session: Session, refs: Refs, mode: Mode, now: datetime) -> Match | None:
    """The event's match, None where it is not ours. The customer is locked first, then the invoice, then the rest."""
    found = _found(session, refs, mode)
    return _locked(session, SYSTEM, found, mode, now) if found is not None else None


def of_attempt(session: Session, actor: Actor, attempt_id: int, *, now: datetime) -> Match:
    """The match of an attempt to charge a card on file, whatever events there are. NotFound as for its invoice."""
    of_it = select(ChargeAttempt.invoice_id, PaymentMethodOnFile.mode).join(PaymentMethodOnFile)
    row = session.execute(of_it.where(ChargeAttempt.id == attempt_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no charge {attempt_id}")
    return _locked(session, actor, _Found(row.invoice_id, attempt_id=attempt_id), row.mode, now)


@dataclass(frozen=True, slots=True)
class _Found:
    invoice_id: int
    link_id: int | None = None
    attempt_id: int | None = None


def _locked(session: Session, actor: Actor, found: _Found, mode: Mode, now: datetime) -> Match:
    of_it = select(Invoice.customer_id).where(Invoice.id == found.invoice_id)
    customers.for_change(session, actor, session.scalars(of_it).one())
    invoice = invoices.for_change(session, actor, found.invoice_id)
    zone = businesses.one(session, invoice.business_id).time_zone
    link = attempt = None
    if found.link_id is not None:
        link = session.get_one(PaymentLink, found.link_id, with_for_update=True, populate_existing=True)
    if found.attempt_id is not None:
        attempt = session.get_one(ChargeAttempt, found.attempt_id, with_for_update=True, populate_existing=True)
    return Match(invoice, link, attempt, mode, now, zone)


def _found(session: Session, refs: Refs, mode: Mode) -> _Found | None:
    """What the most reliable id of the event names. A link or attempt of another mode does not match."""
    if refs.attempt_id:
        statement = select(ChargeAttempt.id, ChargeAttempt.invoice_id, PaymentMethodOnFile.mode)
        named = statement.join(PaymentMethodOnFile).where(ChargeAttempt.public_id == refs.attempt_id)
        if (attempt := session.execute(named).one_or_none()) is not None:
            return _Found(attempt.invoice_id, attempt_id=attempt.id) if attempt.mode is mode else None
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
            of_link = select(PaymentLink.id, PaymentLink.invoice_id, PaymentLink.mode).where(condition)
            row = session.execute(of_link.order_by(PaymentLink.id.desc()).limit(1)).one_or_none()
            if row is not None:
                return _Found(row.invoice_id, link_id=row.id) if row.mode is mode else None
    if refs.invoice_id:
        invoice_id = session.scalar(select(Invoice.id).where(Invoice.public_id == refs.invoice_id))
        return _Found(invoice_id) if invoice_id is not None else None
    return None


def first_failure(session: Session, match: Match, told: Failed | None) -> datetime | None:
    """When the gateway's own invoice failed first since ours was last in time, of all that was ``told`` in whatever
    order: an event is marked only after it is applied, so that the one of now comes from the caller.
    """
    invoice = match.invoice
    paid_at = session.scalar(select(func.max(PaymentLink.last_paid_at)).where(PaymentLink.invoice_id == invoice.id))
    in_time = [at for at in (paid_at, invoice.failures_from) if at is not None]
    before = select(func.min(WebhookEvent.created_at)).where(
        WebhookEvent.invoice_id == invoice.id,
        WebhookEvent.type == events.INVOICE_FAILED,
        *(WebhookEvent.created_at > at for at in in_time),
    )
    now = told.at if told is not None and told.by_invoice and all(told.at > at for at in in_time) else None
    return min((at for at in (session.scalar(before), now) if at is not None), default=None)


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
