"""Attempts to charge invoices to cards on file, and what comes next of those that subscriptions bill."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing_core.customers.queries import visible_to
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.models import AttemptState, ChargeAttempt, PaymentMethodOnFile
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.overview import search


class ChargeRow(NamedTuple):
    """One attempt to charge a card on file. Minor units."""

    id: int
    started_at: datetime
    invoice_id: int
    invoice_number: str | None
    amount_minor: int
    currency: str
    card_brand: str
    card_last4: str
    state: AttemptState
    failure: str


class Collecting(NamedTuple):
    """How an open invoice of a subscription is collected: ``collect_at`` is when it is charged next, if it is, and
    ``gives_up_at`` when that will be given up, as the card is refused for good.
    """

    subscription_id: int
    failures: int
    collect_at: datetime | None
    gives_up_at: datetime | None


def of_subscription(session: Session, actor: Actor, subscription_id: int, *, limit: int) -> list[ChargeRow]:
    """The attempts to charge its invoices, the newest first. NotFound where there is none, or none for this actor."""
    search.one(session, actor, subscription_id)
    of_it = select(SubscriptionInvoice.invoice_id).where(SubscriptionInvoice.subscription_id == subscription_id)
    return _rows(session, actor, _attempts().where(Invoice.id.in_(of_it)), limit)


def of_invoice(session: Session, actor: Actor, invoice_id: int, *, limit: int) -> list[ChargeRow]:
    """The attempts to charge an invoice, the newest first; none where this actor may not see it."""
    return _rows(session, actor, _attempts().where(Invoice.id == invoice_id), limit)


def collecting(session: Session, actor: Actor, invoice_id: int) -> Collecting | None:
    """None where no subscription bills it, nothing is due on it, or this actor may not see it."""
    actor.require(Permission.SUBSCRIPTION_READ)
    statement = (
        select(
            *(SubscriptionInvoice.subscription_id, SubscriptionInvoice.failures),
            *(SubscriptionInvoice.collect_at, SubscriptionInvoice.gives_up_at),
        )
        .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
        .join(Invoice, Invoice.id == SubscriptionInvoice.invoice_id)
        .where(
            Invoice.id == invoice_id,
            Invoice.state == InvoiceState.OPEN,
            visible_to(actor, Subscription.customer_id),
        )
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else Collecting(*row)


def _attempts() -> Select[*tuple[Any, ...]]:
    return (
        select(
            *(ChargeAttempt.id, ChargeAttempt.started_at, Invoice.id, Invoice.number),
            *(ChargeAttempt.amount_minor, ChargeAttempt.currency),
            *(PaymentMethodOnFile.brand, PaymentMethodOnFile.last4, ChargeAttempt.state, ChargeAttempt.failure),
        )
        .join_from(ChargeAttempt, Invoice, Invoice.id == ChargeAttempt.invoice_id)
        .join(PaymentMethodOnFile, PaymentMethodOnFile.id == ChargeAttempt.method_id)
    )


def _rows(session: Session, actor: Actor, attempts: Select[*tuple[Any, ...]], limit: int) -> list[ChargeRow]:
    actor.require(Permission.PAYMENT_READ)
    visible = attempts.where(visible_to(actor, Invoice.customer_id))
    return [ChargeRow(*row) for row in session.execute(visible.order_by(ChargeAttempt.id.desc()).limit(limit))]
