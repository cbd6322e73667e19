"""The proof that each period of a subscription is billed once, and charged and credited what its documents say."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from billing_core import proof
from billing_core.invoices.models import CreditNote, Invoice, InvoiceLineItem
from billing_core.online_payments.models import RefundRequest, RefundRequestState
from billing_core.proof import Check
from billing_core.subscriptions.models import (
    ChangeState,
    InvoiceKind,
    Subscription,
    SubscriptionChange,
    SubscriptionCharge,
    SubscriptionInvoice,
    SubscriptionPeriod,
)

CHARGING: Final = ChangeState.CHARGING
_INVOICE: Final = "invoice id {0} of subscription {1}"
# What a person adds to a subscription has lines of its own.
_BY_ITSELF: Final = SubscriptionInvoice.kind != InvoiceKind.OTHER


def checks(session: Session) -> Iterator[Check]:
    """Every check in turn. Reads only."""
    yield _once(session)
    yield _charged(session)
    yield _credited(session)


def _once(session: Session) -> Check:
    period, billed = SubscriptionPeriod, SubscriptionInvoice
    times = (
        select(func.count())
        .where(
            billed.subscription_id == period.subscription_id,
            billed.period_number == period.number,
            billed.kind == InvoiceKind.PERIOD,
        )
        .correlate(period)
        .scalar_subquery()
    )
    other_times = (
        select(Subscription.public_id, period.number)
        .join(Subscription, Subscription.id == period.subscription_id)
        .where(times != 1)
        .order_by(period.subscription_id, period.number)
    )
    begun = exists().where(period.subscription_id == billed.subscription_id, period.number == billed.period_number)
    # A change that begins a period is charged first.
    charging = exists().where(SubscriptionChange.id == billed.change_id, SubscriptionChange.state == CHARGING)
    of_nothing = _of_subscription(billed.invoice_id).where(_BY_ITSELF, ~begun, ~charging)
    of_another = (
        _of_subscription(billed.invoice_id)
        .join(Invoice, Invoice.id == billed.invoice_id)
        .where(
            or_(
                Invoice.customer_id != Subscription.customer_id,
                Invoice.business_id != Subscription.business_id,
                and_(_BY_ITSELF, Invoice.currency != Subscription.currency),
            )
        )
    )
    return Check(
        "Each period of a subscription is billed once, to its customer",
        proof.count(session, period),
        proof.named(session, other_times, "subscription {0}, period {1}")
        + proof.named(session, of_nothing, _INVOICE + " bills no period of it")
        + proof.named(session, of_another, _INVOICE + " is another customer's"),
    )


def _charged(session: Session) -> Check:
    """Usage on the same invoice is proven with the usage."""
    charged = _sum_of(SubscriptionCharge, SubscriptionCharge.net_minor)
    lines = _sum_of(InvoiceLineItem, InvoiceLineItem.amount_minor, InvoiceLineItem.usage_line_id.is_(None))
    wrong = _of_subscription(SubscriptionInvoice.invoice_id).where(
        _BY_ITSELF, SubscriptionInvoice.invoice_id.is_not(None), charged != lines
    )
    elsewhere = (
        select(SubscriptionCharge.id, Subscription.public_id)
        .join(Subscription, Subscription.id == SubscriptionCharge.subscription_id)
        .outerjoin(
            SubscriptionInvoice,
            (SubscriptionInvoice.invoice_id == SubscriptionCharge.invoice_id)
            & (SubscriptionInvoice.subscription_id == SubscriptionCharge.subscription_id),
        )
        .where(SubscriptionInvoice.id.is_(None))
        .order_by(SubscriptionCharge.id)
    )
    return Check(
        "What a subscription was charged is what the lines of its invoices come to",
        proof.count(session, SubscriptionCharge),
        proof.named(session, wrong, _INVOICE)
        + proof.named(session, elsewhere, "charge id {0} of subscription {1} is on no invoice of it"),
    )


def _credited(session: Session) -> Check:
    """Credit notes may have more on them: what a person credits of the same invoice. What the gateway was asked to
    refund is on one once it has answered.
    """
    on_notes = (
        select(func.coalesce(func.sum(CreditNote.subtotal_minor), 0))
        .where(CreditNote.invoice_id == SubscriptionCharge.invoice_id, CreditNote.withdrawn_at.is_(None))
        .scalar_subquery()
    )
    asked = (
        select(func.coalesce(func.sum(RefundRequest.amount_minor), 0))
        .where(
            RefundRequest.invoice_id == SubscriptionCharge.invoice_id,
            RefundRequest.state == RefundRequestState.ASKED,
        )
        .scalar_subquery()
    )
    wrong = (
        select(SubscriptionCharge.invoice_id, func.min(Subscription.public_id))
        .join(Subscription, Subscription.id == SubscriptionCharge.subscription_id)
        .group_by(SubscriptionCharge.invoice_id)
        .having(func.sum(SubscriptionCharge.credited_minor) > on_notes + asked)
        .order_by(SubscriptionCharge.invoice_id)
    )
    return Check(
        "What was credited of a subscription's charges is on credit notes of their invoice",
        proof.count(session, SubscriptionCharge),
        proof.named(session, wrong, _INVOICE),
    )


def _of_subscription(*columns: Any) -> Select[*tuple[Any, ...]]:
    """With the subscription's public id, in the order in which they were billed."""
    return (
        select(*columns, Subscription.public_id)
        .select_from(SubscriptionInvoice)
        .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
        .order_by(SubscriptionInvoice.id)
    )


def _sum_of(table: Any, amount: ColumnElement[int] | Any, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """Of the rows of an invoice of a subscription."""
    total = select(func.coalesce(func.sum(amount), 0)).where(table.invoice_id == SubscriptionInvoice.invoice_id)
    return total.where(*conditions).correlate(SubscriptionInvoice).scalar_subquery()
