"""Cancelling: at the end of the period, or at once, with what becomes of the days that are left.

``canceled`` is final: nothing is charged to a card any more. Retries stop in the same transaction, and what was used up
to the day of the cancellation is billed once that day is over.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.errors import Conflict, UpstreamFailed
from billing_core.identity import Actor, Permission
from billing_core.invoices import after_sending, credit_notes
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.invoices.payment_links import Mode
from billing_core.languages.formats import writing
from billing_core.online_payments import refunding
from billing_core.online_payments.gateway import Declined, Gateway
from billing_core.online_payments.off_session import attempts
from billing_core.payments.models import Allocation, AllocationKind, Payment
from billing_core.plans.models import BillingTiming
from billing_core.subscriptions import beginning, calendar, lifecycle, metered, queries
from billing_core.subscriptions.changes import agreeing, proposing, unused
from billing_core.subscriptions.changes import wanted as asking
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.lifecycle import CANCELED, TRIALING
from billing_core.subscriptions.models import (
    InvoiceKind,
    Subscription,
    SubscriptionCharge,
    SubscriptionInvoice,
    SubscriptionPeriod,
)

log = structlog.get_logger()


class Unused(enum.StrEnum):
    """What becomes of days that were charged and are not used."""

    CREDIT = "credit"
    REFUND = "refund"
    NOTHING = "nothing"


class OpenInvoices(enum.StrEnum):
    """What becomes of invoices that are not paid."""

    KEEP = "keep"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Ending:
    """How it is to end. ``at_period_end``: then ``unused`` and ``open_invoices`` are of no account."""

    at_period_end: bool = False
    unused: Unused = Unused.CREDIT
    open_invoices: OpenInvoices = OpenInvoices.KEEP
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Refund:
    """What is to go back of a payment, for these credits of an invoice."""

    payment_id: int
    credits: tuple[Credit, ...]
    reason: str

    @property
    def amount_minor(self) -> int:
        return sum(one.gross_minor for one in self.credits)


def cancel(
    sessions: Sessions, actor: Actor, gateway: Gateway, public_id: str, ending: Ending, *, now: datetime
) -> None:
    """Cancel a subscription. Conflict where it is canceled already, or what is due is being charged just now."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    with sessions.begin() as session:
        found = queries.by_public_id(session, actor, public_id)
        subscription = queries.for_change(session, actor, found.id)
        _refuse(session, subscription, now)
        subscription.cancel_reason = ending.reason.strip()[:500]
        if ending.at_period_end:
            _at_period_end(session, actor, subscription, now)
            return
        subscription_id = subscription.id
        refunds = _at_once(session, actor, subscription, ending, gateway.mode, now)
    for one in refunds:
        _refund(sessions, actor, gateway, subscription_id, one, now)


def _refuse(session: Session, subscription: Subscription, now: datetime) -> None:
    """One that is held, because its periods wait for a person, can end without them."""
    by_then = now if subscription.held_at is None else subscription.created_at
    proposing.refuse_unready(session, subscription, by_then)


def _at_period_end(session: Session, actor: Actor, subscription: Subscription, now: datetime) -> None:
    subscription.cancel_at_period_end = True
    facts = {"at": f"{subscription.next_at}", "reason": subscription.cancel_reason}
    lifecycle.record(session, actor, subscription, "cancel_at_period_end", None, facts, now=now)


def _at_once(
    session: Session, actor: Actor, subscription: Subscription, ending: Ending, mode: Mode, now: datetime
) -> list[_Refund]:
    invoices = _open_invoices(session, subscription)
    if any(attempts.running(session, invoice.id) for invoice in invoices):
        raise Conflict("What is due is being charged: try again in a moment")
    session.execute(
        update(SubscriptionInvoice)
        .where(SubscriptionInvoice.subscription_id == subscription.id)
        .values(collect_at=None, gives_up_at=None)
    )
    for change in asking.scheduled(session, subscription.id):
        agreeing.withdraw(session, actor, subscription, change, now=now)
    day = calendar.local(now, subscription.zone)[0]
    if ending.open_invoices is OpenInvoices.VOID:
        for invoice in invoices:
            _void(session, actor, invoice, ending.reason.strip() or _cancelled(invoice), day, now)
    begun = queries.period(session, subscription)
    given: list[Credit] = []
    if begun is not None and ending.unused is not Unused.NOTHING:
        given = unused.of_period(session, subscription, begun.number, day + timedelta(days=1))
    refunds = _refunds(session, actor, given, mode, now) if ending.unused is Unused.REFUND else []
    apart = {one.charge_id for refund in refunds for one in refund.credits}
    unused.give(session, actor, subscription, [one for one in given if one.charge_id not in apart], today=day, now=now)
    for refund in refunds:
        _mark(session, refund.credits, 1)
    was_trial = subscription.state is TRIALING
    metered.take_off(session, actor, subscription, day + timedelta(days=1), now=now)
    lifecycle.move(session, actor, subscription, CANCELED, now=now)
    if begun is not None and not was_trial and _has_more_to_bill(session, subscription, begun):
        subscription.next_at = calendar.instant(day + timedelta(days=1), time.min, subscription.zone)
        # A person's decision, which does not wait for another one.
        subscription.held_at = None
    facts = {
        "unused": ending.unused.value,
        "open_invoices": ending.open_invoices.value,
        "credited_minor": sum(one.gross_minor for one in given),
        "reason": subscription.cancel_reason,
    }
    lifecycle.record(session, actor, subscription, "cancel", None, facts, now=now)
    return refunds


def _open_invoices(session: Session, subscription: Subscription) -> Sequence[Invoice]:
    """Those of its periods and changes; what a person added is theirs to decide on."""
    statement = (
        select(Invoice)
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .where(
            SubscriptionInvoice.subscription_id == subscription.id,
            SubscriptionInvoice.kind != InvoiceKind.OTHER,
            Invoice.state == InvoiceState.OPEN,
        )
    )
    return session.scalars(statement.order_by(Invoice.id)).all()


def _void(session: Session, actor: Actor, invoice: Invoice, reason: str, day: date, now: datetime) -> None:
    """Of one that was paid in part, what is still due."""
    today = max(day, invoice.issued_on)
    if invoice.paid_minor or invoice.written_off_minor:
        credit_notes.issue(session, actor, invoice.id, reason=reason, issued_on=today, today=today, now=now)
    else:
        after_sending.cancel(session, actor, invoice.id, now=now, today=today, reason=reason)


def _cancelled(invoice: Invoice) -> str:
    return writing(invoice.language).gettext("The subscription was cancelled")


def _has_more_to_bill(session: Session, subscription: Subscription, begun: SubscriptionPeriod) -> bool:
    if begun.paused:
        return False
    offers = [terms.offer for terms, _ in beginning.stretches(session, subscription, begun)]
    return any(offer.has_usage or offer.timing is BillingTiming.ARREARS for offer in offers)


def _refunds(session: Session, actor: Actor, given: Sequence[Credit], mode: Mode, now: datetime) -> list[_Refund]:
    """Of each invoice that one payment through the gateway has paid: asked for here, and made after the transaction.
    What was paid otherwise becomes credit.
    """
    found = []
    for invoice_id in dict.fromkeys(one.invoice_id for one in given):
        refund_of = tuple(one for one in given if one.invoice_id == invoice_id)
        invoice = session.get_one(Invoice, invoice_id)
        amount = sum(one.gross_minor for one in refund_of)
        payment_id = _payment(session, actor, invoice, amount, mode)
        if payment_id is not None:
            reason = _cancelled(invoice)
            refunding.ask(session, actor, payment_id, amount_minor=amount, reason=reason, now=now)
            found.append(_Refund(payment_id, refund_of, reason))
    return found


def _payment(session: Session, actor: Actor, invoice: Invoice, amount_minor: int, mode: Mode) -> int | None:
    """One that was collected for it, and of which so much can go back."""
    if invoice.state is not InvoiceState.PAID or not amount_minor:
        return None
    of_invoice = (
        select(Payment.id)
        .join(Allocation, Allocation.payment_id == Payment.id)
        .where(
            Allocation.invoice_id == invoice.id,
            Allocation.kind == AllocationKind.PAYMENT,
            Allocation.undone_at.is_(None),
            Allocation.amount_minor - invoice.refunded_minor >= amount_minor,
            Payment.gateway_key.is_not(None),
            Payment.mode.is_(None) | (Payment.mode == mode),
        )
    )
    for payment_id in session.scalars(of_invoice.order_by(Payment.id)):
        possible = refunding.refundable(session, actor, payment_id)
        if not possible.problem and possible.unanswered is None and possible.left.minor >= amount_minor:
            return payment_id
    return None


def _refund(
    sessions: Sessions, actor: Actor, gateway: Gateway, subscription_id: int, wanted: _Refund, now: datetime
) -> None:
    """Where the gateway refuses, it becomes the customer's credit; where it does not answer, the refund that was asked
    for stays with the payment, to be repeated.
    """
    try:
        refunding.refund(
            sessions,
            actor,
            gateway,
            wanted.payment_id,
            amount_minor=wanted.amount_minor,
            reason=wanted.reason,
            now=now,
        )
    except Declined as refusal:
        log.warning("refund_refused", payment_id=wanted.payment_id, because=str(refusal))
        with sessions.begin() as session:
            subscription = queries.for_change(session, actor, subscription_id)
            _mark(session, wanted.credits, -1)
            day = calendar.local(now, subscription.zone)[0]
            unused.give(session, actor, subscription, wanted.credits, today=day, now=now)
    except UpstreamFailed as failure:
        log.warning("refund_waits", payment_id=wanted.payment_id, because=str(failure))


def _mark(session: Session, given: Sequence[Credit], sign: int) -> None:
    """Count them as credited, or no more."""
    for one in given:
        charge = session.get_one(SubscriptionCharge, one.charge_id)
        charge.credited_minor += sign * one.net_minor
    session.flush()
