"""Further invoices that belong to a subscription, and which subscription an invoice belongs to."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.database.functions import among
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.subscriptions import queries
from billing_core.subscriptions.models import InvoiceKind, Subscription, SubscriptionInvoice


def attach(session: Session, actor: Actor, public_id: str, invoice: Invoice, *, now: datetime) -> None:
    """Show an invoice with the subscription of its customer; it is not charged by itself. NotFound where the customer
    has no such subscription.
    """
    actor.require(Permission.INVOICE_WRITE)
    subscription = queries.by_public_id(session, actor, public_id)
    if subscription.customer_id != invoice.customer_id:
        raise NotFound(f"There is no subscription {public_id}")
    made = SubscriptionInvoice(
        subscription_id=subscription.id,
        period_number=subscription.period_number or 0,
        kind=InvoiceKind.OTHER,
        change_id=invoice.id,
        invoice_id=invoice.id,
        created_at=now,
    )
    session.add(made)
    session.flush()


def subscriptions_of(session: Session, invoice_ids: Collection[int]) -> dict[int, str]:
    """The public ids of the subscriptions of those of these invoices that have one."""
    statement = (
        select(Invoice.id, Subscription.public_id)
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
        .where(among(Invoice.id, invoice_ids))
    )
    return dict(session.execute(statement).all()) if invoice_ids else {}
