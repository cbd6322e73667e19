"""What an event changes, under lock. Any order and repetition of events ends in the same state.

So each step checks what is already recorded: a payment by its key, a refund by the total refunded, a link's newest
failure and payment by their instants.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.dates import day_in
from billing_core.identity import SYSTEM, Permission
from billing_core.invoices import lifecycle
from billing_core.invoices.lifecycle import Change
from billing_core.invoices.models import EventKind, InvoiceState
from billing_core.invoices.payment_links import CollectionWay, LinkState, Mode
from billing_core.money import Money
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.declines import one_line
from billing_core.online_payments.models import CaseKind
from billing_core.online_payments.webhooks import (
    attempt_outcomes,
    card_requests,
    deferred,
    disputes,
    events,
    matching,
    receipts,
    refund_recording,
)
from billing_core.online_payments.webhooks.deferred import PaymentUnknown
from billing_core.online_payments.webhooks.facts import (
    CardEntered,
    Disputed,
    Failed,
    MarkedPaid,
    Noted,
    Paid,
    Refunded,
    RefundFailed,
    Unused,
)
from billing_core.online_payments.webhooks.matching import Match
from billing_core.settings import settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event did, in a sentence; ``used`` False where it changed nothing because it is not ours."""

    said: str
    used: bool = True
    invoice_id: int | None = None


_MARKED = "It was marked as paid by hand at Stripe"
_NOT_OURS = Outcome("Not ours: nothing of what it names was made here", used=False)


def apply(session: Session, event: Mapping[str, Any], *, mode: Mode, now: datetime) -> Outcome:
    """Apply the event. PaymentUnknown where it needs its payment to be known first."""
    if bool(event["livemode"]) is not (mode is Mode.LIVE):
        theirs = "live" if event["livemode"] else "test"
        return Outcome(f"Of another mode: the event is a {theirs} one, and this is {mode.value} mode", used=False)
    if theirs := _other_account(event):
        return Outcome(f"Of another account, {theirs}: it pays nothing that is owed to us", used=False)
    match events.fact_of(event):
        case Paid() as paid:
            return _paid(session, paid, mode, now)
        case MarkedPaid() as marked:
            return _marked_paid(session, marked, mode, now)
        case Failed() as failed:
            return _failed(session, failed, mode, now)
        case Refunded() as refunded:
            return _refunded(session, refunded, mode, now)
        case RefundFailed() as failed:
            return _refund_failed(session, failed, now)
        case Disputed() as disputed:
            return _disputed(session, disputed, now)
        case CardEntered() as entered:
            return _card_entered(session, entered, mode, now)
        case Noted() as noted:
            return _noted(session, noted, mode, now)
        case Unused(why):
            return Outcome(why, used=False)


def _other_account(event: Mapping[str, Any]) -> str:
    """The account that the event is of, where it is not ours: one that is connected to ours (``account``) or, where we
    know which is ours, a sister in an organisation that receives the events of all (``context``).
    """
    ours = settings().stripe_account
    named = [event.get("account"), event.get("context") if ours else None]
    accounts = (str(name).rpartition("/")[2] for name in named if name)
    return next((one_line(account)[:60] for account in accounts if account != ours), "")


def _noted(session: Session, noted: Noted, mode: Mode, now: datetime) -> Outcome:
    ours = matching.match_for(session, noted.refs, mode, now)
    if ours is None:
        return _NOT_OURS
    if ours.link is not None and noted.pending_at is not None:
        ours.link.last_pending_at = max(ours.link.last_pending_at or noted.pending_at, noted.pending_at)
    return Outcome(noted.outcome, invoice_id=ours.invoice.id)


def _paid(session: Session, paid: Paid, mode: Mode, now: datetime) -> Outcome:
    match = matching.match_for(session, paid.refs, mode, now)
    if match is None:
        return _NOT_OURS
    invoice, link = match.invoice, match.link
    if paid.refs.stripe_invoice_id:
        matching.name_invoice(session, match, paid.refs.stripe_invoice_id)
    if paid.by_invoice and not (link.way is CollectionWay.HOSTED_INVOICE if link else paid.sent):
        return Outcome("The receipt of a payment that its other events tell", invoice_id=invoice.id)
    if link and link.way is CollectionWay.HOSTED_INVOICE and not paid.by_invoice:
        return Outcome("A payment that its invoice's event tells", invoice_id=invoice.id)
    if link is not None:
        link.last_paid_at = max(link.last_paid_at or paid.at, paid.at)
    known = matching.payment_named(session, key=paid.key, charge_id=paid.charge_id or "")
    if known is not None:
        outcome = "The payment was recorded before"
    else:
        known, outcome = receipts.record(session, SYSTEM, match, paid)
    deferred.name(session, known, intent_id=paid.intent_id, charge_id=paid.charge_id, now=now)
    attempt_outcomes.note_success(session, SYSTEM, match, known)
    _judge(session, match)
    return Outcome(outcome, invoice_id=invoice.id)


def _marked_paid(session: Session, marked: MarkedPaid, mode: Mode, now: datetime) -> Outcome:
    """No money came through the gateway. Whoever marked it knows where the money is, if there is any."""
    match = matching.match_for(session, marked.refs, mode, now)
    if match is None:
        return _NOT_OURS
    invoice, link = match.invoice, match.link
    matching.name_invoice(session, match, marked.key)
    if invoice.state is not InvoiceState.OPEN:
        return Outcome(f"{_MARKED}, and nothing is due on it here", invoice_id=invoice.id)
    if link is not None and link.state is LinkState.ACTIVE:
        # A page that is paid there takes no other payment.
        lifecycle.end_link(
            *(session, SYSTEM, invoice),
            state=LinkState.DEACTIVATED,
            because=_MARKED,
            now=now,
            tell_gateway=False,
        )
    came = Money(marked.amount_minor, marked.currency)
    cause = Cause(
        key=f"marked_paid:{marked.key}",
        kind=CaseKind.MARKED_PAID,
        customer_id=invoice.customer_id,
        invoice_id=invoice.id,
        currency=marked.currency,
        amount_minor=marked.amount_minor,
        said=f"{lifecycle.named(invoice)} was marked as paid by hand at Stripe: none of the {came} came in through it. "
        "Record the payment where the money came in; otherwise the invoice stays due here",
    )
    cases.open_case(session, SYSTEM, cause, now=now)
    return Outcome(f"{_MARKED}: no money came in through it, and a person has to settle that", invoice_id=invoice.id)


def _failed(session: Session, failed: Failed, mode: Mode, now: datetime) -> Outcome:
    match = matching.match_for(session, failed.refs, mode, now)
    if match is None:
        return _NOT_OURS
    if match.attempt is not None:
        outcome = attempt_outcomes.note_failure(session, SYSTEM, match, failed)
        return Outcome(outcome, invoice_id=match.invoice.id)
    link = match.link
    if link is None:
        return Outcome("The link that this was tried by is not known any more", invoice_id=match.invoice.id)
    if link.last_failed_at is None or (failed.at, failed.reason) > (link.last_failed_at, link.last_failure):
        link.last_failed_at, link.last_failure = failed.at, failed.reason
    if failed.used_up and link.state is LinkState.ACTIVE:
        because = f"{failed.reason}, and a link takes one payment: create another"
        lifecycle.end_link(session, SYSTEM, match.invoice, state=LinkState.DEACTIVATED, because=because, now=match.now)
    _judge(session, match, failed)
    return Outcome(f"The payment failed: {failed.reason}"[:200], invoice_id=match.invoice.id)


def _judge(session: Session, match: Match, told: Failed | None = None) -> None:
    """Note on the open invoice that the latest outcome of its link is a failure, or no longer is. Where the gateway's
    own invoice failed, and not only an attempt at it, the invoice is late from the first such day on.
    """
    session.flush()
    invoice, link = match.invoice, match.link
    if link is None or invoice.state is not InvoiceState.OPEN:
        return
    failed_at, paid_at = link.last_failed_at, link.last_paid_at
    in_time = [at for at in (paid_at, invoice.failures_from) if at is not None]
    if failed_at is not None and all(failed_at > at for at in in_time):
        _note_failure(session, match, failed_at, link.last_failure)
    elif invoice.payment_failed_at is not None and paid_at is not None and invoice.payment_failed_at <= paid_at:
        change = Change(invoice, lifecycle.NOT_FAILED)
        lifecycle.change(session, SYSTEM, [change], event=None, action=Permission.PAYMENT_WRITE, now=match.now)
    _make_late(session, match, told, link.last_failure)


def _note_failure(session: Session, match: Match, failed_at: datetime, reason: str) -> None:
    invoice, known = match.invoice, match.invoice.payment_failed_at
    if known is None or (failed_at, reason) > (known, invoice.payment_failure):
        facts = {"payment_failed_at": failed_at, "payment_failure": reason}
        change = Change(invoice, facts, data={"reason": reason})
        event = EventKind.PAYMENT_FAILED
        lifecycle.change(session, SYSTEM, [change], event=event, action="payment.failed", now=match.now)


def _make_late(session: Session, match: Match, told: Failed | None, reason: str) -> None:
    """A charge that is tried again does not make the invoice late anew: the first failure counts."""
    invoice = match.invoice
    failed_at = matching.first_failure(session, match, told)
    late_after = None if failed_at is None else match.day(failed_at) - timedelta(days=1)
    if late_after != invoice.failed_late_after:
        was_late = invoice.late_after < match.today
        change = Change(invoice, {"failed_late_after": late_after}, data={"reason": reason})
        event = None if was_late or late_after is None else EventKind.MARKED_OVERDUE
        lifecycle.change(session, SYSTEM, [change], event=event, action="payment.failed", now=match.now)


def _card_entered(session: Session, entered: CardEntered, mode: Mode, now: datetime) -> Outcome:
    """What tells the card from others has to be asked for."""
    request = card_requests.named(session, entered.request_id)
    if request is None:
        return _NOT_OURS
    card_requests.have_kept(session, SYSTEM, request, entered, mode=mode, now=now)
    return Outcome("The customer has entered a card")


def _refunded(session: Session, refunded: Refunded, mode: Mode, now: datetime) -> Outcome:
    if refunded.paid is not None and not _paid(session, refunded.paid, mode, now).used:
        return _NOT_OURS
    payment = matching.payment_named(session, key=refunded.intent_id or "", charge_id=refunded.charge_id)
    if payment is None:
        raise PaymentUnknown(refunded.charge_id)
    zone = businesses.one(session, payment.business_id).time_zone
    customers.for_change(session, SYSTEM, payment.customer_id)
    before = refund_recording.recorded(session, payment.id)
    made = refund_recording.note_refunded(
        session,
        SYSTEM,
        payment.id,
        refunded.refunded_minor,
        reason="Refunded at the payment service",
        refunded_on=day_in(zone, refunded.at),
        today=day_in(zone, now),
        now=now,
    )
    deferred.name(session, payment, charge_id=refunded.charge_id, now=now)
    back = refund_recording.recorded(session, payment.id) - before
    unmatched = back > sum(refund.amount_minor for refund in made)
    outcome = f"{Money(back, payment.currency)} went back to the payer" if back else "The refund was recorded before"
    outcome += ", and a person has to settle where it is taken from" if unmatched else ""
    return Outcome(outcome, invoice_id=matching.invoice_of(session, payment.id))


def _refund_failed(session: Session, failed: RefundFailed, now: datetime) -> Outcome:
    payment = matching.payment_named(session, key=failed.intent_id or "", charge_id=failed.charge_id)
    if payment is None:
        raise PaymentUnknown(failed.charge_id)
    customers.for_change(session, SYSTEM, payment.customer_id)
    invoice_id = matching.invoice_of(session, payment.id)
    case = refund_recording.note_failed(session, SYSTEM, payment, invoice_id, failed, now=now)
    return Outcome(case.said[:200], invoice_id=invoice_id)


def _disputed(session: Session, disputed: Disputed, now: datetime) -> Outcome:
    payment = matching.payment_named(session, key=disputed.intent_id or "", charge_id=disputed.charge_id)
    if payment is None:
        raise PaymentUnknown(disputed.charge_id)
    customers.for_change(session, SYSTEM, payment.customer_id)
    invoice_id = matching.invoice_of(session, payment.id)
    today = day_in(businesses.one(session, payment.business_id).time_zone, now)
    dispute = disputes.note(session, SYSTEM, payment, invoice_id, disputed, today=today, now=now)
    return Outcome(f"The dispute is {dispute.state.value}", invoice_id=invoice_id)
