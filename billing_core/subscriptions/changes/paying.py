"""Another payment method, which is tried once at once for what an earlier one did not pay."""

from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.database import Sessions
from billing_core.errors import Conflict, UpstreamFailed
from billing_core.identity import Actor, Permission, idempotent
from billing_core.identity.idempotent import Claim
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.online_payments.gateway import Gateway
from billing_core.online_payments.models import PaymentMethodOnFile
from billing_core.online_payments.off_session import methods
from billing_core.subscriptions import collecting, lifecycle, queries
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice

log = structlog.get_logger()


def replace(
    sessions: Sessions,
    actor: Actor,
    gateway: Gateway,
    public_id: str,
    method: str,
    *,
    claim: Claim | None = None,
    now: datetime,
) -> None:
    """Charge another payment method from now on: ``method`` is the gateway's ``pm_…`` id. What is refused at once is
    tried again as ever. ``claim``: of the request that asks for it, which is done once the card is in use.

    ``Declined`` where the method itself is refused: then nothing has changed.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    with sessions() as session:
        found = queries.by_public_id(session, actor, public_id)
        _refuse_over(found)
        subscription_id, customer_id = found.id, found.customer_id
    method_id = methods.attach(sessions, actor, gateway, customer_id, method, now=now)
    with sessions.begin() as session:
        owed = use(session, actor, subscription_id, method_id, now=now)
        if claim is not None:
            idempotent.mark_changed(session, claim, now=now)
    for billed_id in owed:
        try:
            collecting.collect(sessions, actor, gateway, billed_id, now=now)
        except UpstreamFailed as failure:
            log.warning("charge_waits", subscription_invoice_id=billed_id, because=str(failure))


def use(session: Session, actor: Actor, subscription_id: int, method_id: int, *, now: datetime) -> list[int]:
    """Charge this method of the customer's, which is on file, from now on; what is to be charged to it at once."""
    actor.require(Permission.SUBSCRIPTION_WRITE)
    subscription = queries.for_change(session, actor, subscription_id)
    _refuse_over(subscription)
    method = session.get_one(PaymentMethodOnFile, method_id)
    if method.customer_id != subscription.customer_id or method.detached_at is not None:
        raise Conflict("This card is not on file for the customer of the subscription")
    before, subscription.payment_method_id = subscription.payment_method_id, method_id
    subscription.card_asked_at = None
    owed = select(SubscriptionInvoice).join(Invoice, Invoice.id == SubscriptionInvoice.invoice_id)
    owed = owed.where(
        SubscriptionInvoice.subscription_id == subscription_id,
        SubscriptionInvoice.failed_at.is_not(None),
        Invoice.state == InvoiceState.OPEN,
    )
    billed = list(session.scalars(owed.order_by(SubscriptionInvoice.id)))
    for one in billed:
        one.collect_at, one.gives_up_at = now, None
    facts = {"method": method_id, "card": methods.card_of(method)}
    lifecycle.record(session, actor, subscription, "payment_method", {"method": before}, facts, now=now)
    session.flush()
    return [one.id for one in billed]


def _refuse_over(subscription: Subscription) -> None:
    if subscription.state is CANCELED:
        raise Conflict(f"The subscription {subscription.public_id} is canceled")
