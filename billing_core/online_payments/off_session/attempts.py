"""Charging what is due on an invoice to a card on file: begin and record, charge, record the outcome.

The attempt is recorded first, with its key. So after any failure the same charge can be repeated without a second one,
and its outcome is found, by us or by the gateway's event, whichever comes first.
"""

from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses import queries as businesses
from billing_core.customers.queries import visible_to
from billing_core.database import Sessions
from billing_core.dates import day_in
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices import lifecycle, payment_links
from billing_core.invoices import queries as invoices
from billing_core.invoices.content import early_payment
from billing_core.invoices.lifecycle import DRAFT, OPEN, named
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LinkState, Mode, PaymentLink
from billing_core.money import Money
from billing_core.online_payments import declines
from billing_core.online_payments.gateway import (
    Charged,
    ChargeOutcome,
    Declined,
    Gateway,
    OffSessionCharge,
    PaymentDetails,
)
from billing_core.online_payments.models import AttemptState, ChargeAttempt, PaymentMethodOnFile
from billing_core.online_payments.off_session import methods
from billing_core.online_payments.webhooks import attempt_outcomes, deferred, fees, matching, receipts
from billing_core.online_payments.webhooks.facts import Failed, Paid, Refs
from billing_core.payments.models import Payment
from billing_core.payments.prepaid import using

CHARGING: Final = "What is due is being charged to a card on file"


def begin(
    session: Session, actor: Actor, invoice_id: int, method_id: int, *, amount_minor: int | None = None, now: datetime
) -> int:
    """Begin to charge what is due on an invoice, or the total of a draft, to a card; returns the attempt's id.
    ``amount_minor``: less than that, because credit is to pay the rest; None: less what early payment takes off of an
    invoice today.

    Its payment link ends, and none can be created while the attempt runs. Conflict where nothing is due, where another
    attempt runs, and where the card is another customer's or off file.
    """
    actor.require(Permission.PAYMENT_WRITE)
    method = methods.for_change(session, actor, method_id)
    invoice = invoices.for_change(session, actor, invoice_id)
    _check(session, invoice, method)
    business = businesses.one(session, invoice.business_id)
    amount = _to_charge(invoice, day_in(business.time_zone, now)) if amount_minor is None else amount_minor
    if not 0 < amount <= _due(invoice):
        raise Conflict(f"{Money(amount, invoice.currency)} is not what can be charged for {_lowered(invoice)}")
    _end_link(session, actor, invoice, now=now)
    attempt = ChargeAttempt(
        invoice_id=invoice.id,
        method_id=method.id,
        currency=invoice.currency,
        amount_minor=amount,
        description=" · ".join(filter(None, (invoice.number, business.name)))[:300],
        started_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    session.add(attempt)
    session.flush()
    audit.record(
        session,
        actor,
        "charge.begin",
        ("charge_attempt", attempt.id),
        label=f"{invoice.number or invoice.customer_name}, {Money(attempt.amount_minor, attempt.currency)}",
        after={"invoice_id": invoice.id, "card": methods.card_of(method), "mode": method.mode.value}
        | {"amount_minor": attempt.amount_minor, "currency": attempt.currency},
        now=now,
    )
    return attempt.id


def charge(sessions: Sessions, gateway: Gateway, attempt_id: int) -> Charged:
    """Charge the card; the same key each time, so that repeating it charges nothing twice. Changes nothing here.

    After ``UpstreamFailed`` it is unknown whether money came in: repeat it later. Conflict where the card is kept for
    real money, and the product does not collect real money now.
    """
    with sessions() as session:
        attempt = session.get_one(ChargeAttempt, attempt_id)
        if attempt.state is not AttemptState.STARTED:
            return _known(session, attempt)
        method = session.get_one(PaymentMethodOnFile, attempt.method_id)
        invoice_id = session.get_one(Invoice, attempt.invoice_id).public_id
    if method.mode is not gateway.mode:
        why = f"The card was put on file in {method.mode} mode, and the product collects in {gateway.mode} mode now"
        if method.mode is Mode.LIVE:
            # Real money may have come in by an earlier call.
            raise Conflict(why)
        return _refused(why)
    asked = OffSessionCharge(
        attempt_id=attempt.public_id,
        invoice_id=invoice_id,
        gateway_customer_id=method.gateway_customer_id,
        gateway_method_id=method.gateway_id,
        currency=attempt.currency,
        amount_minor=attempt.amount_minor,
        description=attempt.description,
        started_at=attempt.started_at,
    )
    try:
        return gateway.charge_off_session(asked, key=attempt.public_id)
    except (Declined, Invalid) as refusal:
        return _refused(str(refusal))


def record(session: Session, actor: Actor, attempt_id: int, charged: Charged, *, now: datetime) -> ChargeAttempt:
    """Record the outcome, unless the gateway's event or an earlier call has done so. On success the invoice is paid,
    and a draft is sent for it; more money than is due by then stays as the customer's credit, with a case.
    """
    actor.require(Permission.PAYMENT_WRITE)
    match = matching.of_attempt(session, actor, attempt_id, now=now)
    attempt = match.attempt
    assert attempt is not None  # noqa: S101 - matched by it
    if charged.outcome is not ChargeOutcome.SUCCEEDED:
        failed = Failed(Refs(), now, charged.message, decline_code=charged.decline_code, intent_id=charged.intent_id)
        attempt_outcomes.note_failure(session, actor, match, failed)
        return attempt
    key = charged.intent_id or charged.charge_id or ""
    payment = matching.payment_named(session, key=key, charge_id=charged.charge_id or "")
    if payment is None:
        paid = Paid(
            refs=Refs(),
            at=now,
            key=key,
            currency=attempt.currency,
            amount_minor=attempt.amount_minor,
            intent_id=charged.intent_id,
            charge_id=charged.charge_id,
        )
        payment, _ = receipts.record(session, actor, match, paid)
    deferred.name(session, payment, intent_id=charged.intent_id, charge_id=charged.charge_id, now=now)
    if charged.fee_minor is not None:
        known = PaymentDetails(charged.intent_id, charged.charge_id, charged.fee_minor)
        fees.note(session, actor, payment.id, known, now=now)
    attempt_outcomes.note_success(session, actor, match, payment)
    return attempt


def unfinished(session: Session, *, before: datetime, limit: int = 100) -> list[int]:
    """Attempts begun before an instant whose outcome nobody recorded, the oldest first: to be charged and recorded
    again, which has no second effect.
    """
    statement = select(ChargeAttempt.id).where(
        ChargeAttempt.state == AttemptState.STARTED, ChargeAttempt.started_at < before
    )
    return list(session.scalars(statement.order_by(ChargeAttempt.started_at, ChargeAttempt.id).limit(limit)))


def running(session: Session, invoice_id: int, *, answered_in: Mode | None = None) -> bool:
    """Whether the outcome of an attempt for this invoice is not known yet. ``answered_in``: but for one with a card for
    real money, of which nothing is heard while the product collects in this other mode.
    """
    statement = select(ChargeAttempt.id).where(
        ChargeAttempt.invoice_id == invoice_id, ChargeAttempt.state == AttemptState.STARTED
    )
    if answered_in not in (None, Mode.LIVE):
        statement = statement.join(PaymentMethodOnFile).where(PaymentMethodOnFile.mode != Mode.LIVE)
    return session.scalar(statement) is not None


def one(session: Session, actor: Actor, attempt_id: int) -> ChargeAttempt:
    """An attempt; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.PAYMENT_READ)
    statement = select(ChargeAttempt).join(Invoice, Invoice.id == ChargeAttempt.invoice_id)
    visible = statement.where(ChargeAttempt.id == attempt_id, visible_to(actor, Invoice.customer_id))
    attempt = session.scalars(visible).one_or_none()
    if attempt is None:
        raise NotFound(f"There is no charge {attempt_id}")
    return attempt


def of_invoice(session: Session, actor: Actor, invoice_id: int, *, limit: int = 20) -> list[ChargeAttempt]:
    """The attempts to charge an invoice, newest first."""
    actor.require(Permission.PAYMENT_READ)
    statement = select(ChargeAttempt).join(Invoice, Invoice.id == ChargeAttempt.invoice_id)
    visible = statement.where(ChargeAttempt.invoice_id == invoice_id, visible_to(actor, Invoice.customer_id))
    return list(session.scalars(visible.order_by(ChargeAttempt.id.desc()).limit(limit)))


def _check(session: Session, invoice: Invoice, method: PaymentMethodOnFile) -> None:
    if method.customer_id != invoice.customer_id:
        raise Conflict(f"This card is not the customer's of {_lowered(invoice)}")
    if method.detached_at is not None:
        raise Conflict("This card was taken off file")
    if invoice.state not in (DRAFT, OPEN):
        raise Conflict(f"{named(invoice)} is {invoice.state.value}: there is nothing to charge")
    if not _due(invoice):
        raise Conflict(f"Nothing is due on {_lowered(invoice)}")
    if invoice.state is DRAFT and using.would_pay(session, invoice):
        raise Conflict("Prepaid credit pays of this invoice: send it first, and charge what is left")
    if running(session, invoice.id):
        raise Conflict(f"{named(invoice)} is being charged already")


def _due(invoice: Invoice) -> int:
    return invoice.total_minor if invoice.state is DRAFT else invoice.due_minor


def _to_charge(invoice: Invoice, today: date) -> int:
    early = early_payment.best_on(invoice, today) if invoice.state is OPEN else None
    return early.to_pay_minor if early is not None else _due(invoice)


def _lowered(invoice: Invoice) -> str:
    name = named(invoice)
    return name[:1].lower() + name[1:]


def _end_link(session: Session, actor: Actor, invoice: Invoice, *, now: datetime) -> None:
    """Also a link whose creation is not answered yet."""
    lifecycle.end_link(session, actor, invoice, state=LinkState.DEACTIVATED, because=CHARGING, now=now)
    asked = select(PaymentLink).where(PaymentLink.invoice_id == invoice.id, PaymentLink.state == LinkState.CREATING)
    link = session.scalars(asked.execution_options(populate_existing=True)).one_or_none()
    if link is not None:
        payment_links.abandon(session, actor, link, invoice, because=CHARGING, now=now)


def _known(session: Session, attempt: ChargeAttempt) -> Charged:
    """What was recorded of the attempt."""
    if attempt.state is AttemptState.SUCCEEDED:
        payment = session.get_one(Payment, attempt.payment_id)
        return Charged(ChargeOutcome.SUCCEEDED, payment.intent_id, payment.charge_id)
    return Charged(
        ChargeOutcome(attempt.state.value),
        attempt.intent_id,
        decline_code=attempt.decline_code,
        message=attempt.failure,
        hard=attempt.hard,
    )


def _refused(why: str) -> Charged:
    return Charged(ChargeOutcome.DECLINED, decline_code=declines.REFUSED, message=why, hard=True)
