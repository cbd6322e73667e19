"""Refunds to the card of days that are not used, when a subscription is cancelled.

They are asked for in the transaction of the cancellation and made after it. Whoever is killed between is found, and the
refund made under its own key, which has no second effect.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session, aliased

from billing_core.database import Sessions
from billing_core.errors import BillingError, Invalid, UpstreamFailed
from billing_core.identity import Actor
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.languages.formats import writing
from billing_core.online_payments import refunding
from billing_core.online_payments.gateway import Declined, Gateway
from billing_core.online_payments.models import RefundRequest, RefundRequestState
from billing_core.online_payments.refunding import NoCharge
from billing_core.payments import refunds
from billing_core.payments.models import Allocation, AllocationKind, Payment, Refund, RefundSource
from billing_core.subscriptions import calendar, collecting, queries
from billing_core.subscriptions.changes import keeping, unused
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription, SubscriptionCharge

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ToCard:
    """What goes back of a payment, in minor units, for these credits of an invoice."""

    payment_id: int
    amount_minor: int
    credits: tuple[Credit, ...]


def because(invoice: Invoice) -> str:
    return writing(invoice.language).gettext("The subscription was cancelled")


def divided(session: Session, actor: Actor, given: Sequence[Credit], mode: Mode) -> tuple[list[ToCard], list[Credit]]:
    """What goes back to cards, as much as they have paid of each invoice and can still get, and the rest: that lowers
    what is due, and becomes credit.
    """
    to_cards: list[ToCard] = []
    rest: list[Credit] = []
    for invoice_id, theirs in unused.by_invoice(given).items():
        amount_minor = sum(one.gross_minor for one in theirs)
        for payment_id, minor in _to_cards(session, actor, session.get_one(Invoice, invoice_id), amount_minor, mode):
            taken, theirs = unused.divide(theirs, minor)
            to_cards.append(ToCard(payment_id, minor, tuple(taken)))
        rest += theirs
    return to_cards, rest


def ask(
    session: Session, actor: Actor, subscription: Subscription, wanted: Sequence[ToCard], *, now: datetime
) -> dict[int, ToCard]:
    """Write down that they are to be made, by the requests' ids: the credits count as given from now on."""
    asked = {}
    for one in wanted:
        invoice = session.get_one(Invoice, one.credits[0].invoice_id)
        request = refunding.ask(
            session,
            actor,
            one.payment_id,
            amount_minor=one.amount_minor,
            parts=[unused.share(subscription, one.credits)],
            reason=because(invoice),
            now=now,
        )
        asked[request.id] = one
        _mark(session, one.credits, 1)
    return asked


def kept(asked: Mapping[int, ToCard]) -> list[dict[str, Any]]:
    """As it is kept with the subscription, for whoever goes on."""
    return [
        {"request_id": request_id, "credits": keeping.kept_credits(one.credits)} for request_id, one in asked.items()
    ]


def make(
    sessions: Sessions, actor: Actor, gateway: Gateway, subscription_id: int, request_id: int, *, now: datetime
) -> None:
    """Where the gateway refuses, it becomes the customer's credit, in the transaction that notes the refusal; where it
    does not answer, the refund stays asked for, to be repeated.
    """

    def refused(session: Session) -> None:
        subscription = queries.for_change(session, actor, subscription_id)
        given = _credits_of(subscription, request_id)
        _mark(session, given, -1)
        today = calendar.local(now, subscription.zone)[0]
        unused.give(session, actor, subscription, given, today=today, now=now)

    try:
        refunding.make(sessions, actor, gateway, request_id, refused=refused, now=now)
    except (Declined, Invalid, NoCharge) as refusal:
        log.warning("refund_refused", request_id=request_id, because=str(refusal))
    except UpstreamFailed as failure:
        log.warning("refund_waits", request_id=request_id, because=str(failure))


def unfinished(session: Session, *, before: datetime, after: int = 0, limit: int = 100) -> dict[int, int]:
    """Those that cancellations before then have asked for, in the same instant, beyond the request ``after``, each with
    its subscription; what a person asks for is theirs to repeat.
    """
    statement = (
        select(RefundRequest.id, Subscription.id)
        .join(Allocation, Allocation.payment_id == RefundRequest.payment_id)
        .join(SubscriptionCharge, SubscriptionCharge.invoice_id == Allocation.invoice_id)
        .join(Subscription, Subscription.id == SubscriptionCharge.subscription_id)
        .where(
            RefundRequest.state == RefundRequestState.ASKED,
            RefundRequest.created_at < before,
            RefundRequest.created_at == Subscription.canceled_at,
            RefundRequest.id > after,
            Allocation.undone_at.is_(None),
            Subscription.state == CANCELED,
            SubscriptionCharge.period_number == Subscription.period_number,
            SubscriptionCharge.credited_minor > 0,
        )
        .group_by(RefundRequest.id, Subscription.id)
    )
    found = session.execute(statement.order_by(RefundRequest.id).limit(limit))
    return {row[0]: row[1] for row in found}


def complete_unfinished(sessions: Sessions, actor: Actor, gateway: Gateway, *, before: datetime, now: datetime) -> int:
    """Make those that were cut off; how many there were."""
    done = 0
    for request_id, subscription_id in collecting.each_cut_off(sessions, unfinished, before=before):
        done += 1
        try:
            make(sessions, actor, gateway, subscription_id, request_id, now=now)
        except BillingError as failure:
            log.warning("refund_waits", request_id=request_id, because=str(failure))
    return done


def _credits_of(subscription: Subscription, request_id: int) -> list[Credit]:
    """For which the refund was asked when it was cancelled."""
    asked = (subscription.cancellation or {}).get("refunds", [])
    return [credit for one in asked if one["request_id"] == request_id for credit in keeping.credits_of(one)]


def _to_cards(
    session: Session, actor: Actor, invoice: Invoice, amount_minor: int, mode: Mode
) -> Iterator[tuple[int, int]]:
    """Of which payments how much goes back, where so much is credited: what was collected last goes first."""
    left = min(amount_minor - invoice.due_minor, refunds.in_money(session, invoice))
    if left <= 0:
        return
    for payment_id, paid_minor in session.execute(_collected(invoice, mode)).all():
        possible = refunding.refundable(session, actor, payment_id)
        if possible.problem or possible.unanswered is not None:
            continue
        minor = min(left, int(paid_minor), possible.left.minor)
        if minor > 0:
            yield payment_id, minor
            left -= minor


def _collected(invoice: Invoice, mode: Mode) -> Select[*tuple[Any, ...]]:
    """The payments through the gateway that paid this invoice and no other, and what each paid that is not refunded."""
    other = aliased(Allocation)
    refunded = (
        select(func.coalesce(func.sum(Refund.amount_minor), 0))
        .where(
            Refund.payment_id == Payment.id,
            Refund.invoice_id == Allocation.invoice_id,
            Refund.source == RefundSource.INVOICE,
        )
        .scalar_subquery()
    )
    return (
        select(Payment.id, Allocation.amount_minor - refunded)
        .join(Allocation, Allocation.payment_id == Payment.id)
        .where(
            Allocation.invoice_id == invoice.id,
            Allocation.kind == AllocationKind.PAYMENT,
            Allocation.undone_at.is_(None),
            ~exists().where(other.payment_id == Payment.id, other.id != Allocation.id, other.undone_at.is_(None)),
            Payment.gateway_key.is_not(None),
            Payment.mode.is_(None) | (Payment.mode == mode),
        )
        .order_by(Payment.id.desc())
    )


def _mark(session: Session, given: Sequence[Credit], sign: int) -> None:
    """Count them as credited, or no more."""
    for one in given:
        charge = session.get_one(SubscriptionCharge, one.charge_id)
        charge.credited_minor += sign * one.net_minor
    session.flush()
