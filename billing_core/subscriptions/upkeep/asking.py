"""Asking a customer to pay what their card could not be charged for, because a person wants it."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers.queries import visible_to
from billing_core.database import Sessions
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.mailing import service as mailing
from billing_core.online_payments.gateway import Gateway
from billing_core.subscriptions import collecting
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice

_MOST: Final = 50


class FailedCharge(NamedTuple):
    """``at``: when it is charged again, None if it is not."""

    invoice_id: int
    at: datetime | None


def failed(session: Session, actor: Actor, subscription_id: int) -> list[FailedCharge]:
    """The open invoices of a subscription that could not be charged, the oldest first."""
    actor.require(Permission.INVOICE_READ)
    statement = (
        select(Invoice.id, case((SubscriptionInvoice.gives_up_at.is_(None), SubscriptionInvoice.collect_at)))
        .join(SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
        .where(
            Subscription.id == subscription_id,
            SubscriptionInvoice.failed_at.is_not(None),
            Invoice.state == InvoiceState.OPEN,
            visible_to(actor, Subscription.customer_id),
        )
    )
    return [FailedCharge(*row) for row in session.execute(statement.order_by(Invoice.id).limit(_MOST))]


def mail_links(sessions: Sessions, actor: Actor, gateway: Gateway, subscription_id: int, *, now: datetime) -> int:
    """Mail each of these invoices with a link to pay it by; how many mails there are. One that is being charged now, or
    that a mail waits for, is left out.
    """
    actor.require(Permission.LINK_WRITE)
    actor.require(Permission.INVOICE_SEND)
    with sessions() as session:
        ids = [one.invoice_id for one in failed(session, actor, subscription_id)]
    for invoice_id in ids:
        collecting.have_link(sessions, actor, gateway, invoice_id, now=now)
    with sessions.begin() as session:
        today = businesses.today(session, now=now)
        return len(mailing.send_many(session, actor, ids, now=now, today=today).message_ids) if ids else 0
