"""Deactivating a customer: nothing new is billed to it, while what is open stays payable; and back again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers import queries
from billing_core.customers.models import Customer
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.subscriptions.models import Subscription, SubscriptionState


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a customer is under way. ``subscriptions`` are those that have not ended."""

    drafts: int
    open_invoices: int
    subscriptions: tuple[str, ...]


def standing(session: Session, actor: Actor, customer_id: int) -> Standing:
    """What deactivating the customer leaves as it is, or has to wait for."""
    actor.require(Permission.CUSTOMER_WRITE)
    queries.one(session, actor, customer_id)
    of_state = select(Invoice.state, func.count()).where(
        Invoice.customer_id == customer_id, Invoice.state.in_((InvoiceState.DRAFT, InvoiceState.OPEN))
    )
    counts = dict(session.execute(of_state.group_by(Invoice.state)).all())
    return Standing(
        counts.get(InvoiceState.DRAFT, 0), counts.get(InvoiceState.OPEN, 0), tuple(_running(session, customer_id))
    )


def deactivate(session: Session, actor: Actor, customer_id: int, *, now: datetime) -> Customer:
    """Bill nothing new to this customer: no invoices, reports, bill runs, plans or subscriptions. What it owes stays
    payable and is reminded of, and payments, credit notes and refunds go on.

    Conflict where a subscription runs: when it ends, and what is given back, is decided there.
    """
    actor.require(Permission.CUSTOMER_WRITE)
    customer = queries.for_change(session, actor, customer_id, alone=True)
    if running := _running(session, customer_id):
        raise Conflict(f"{customer.name} is subscribed: cancel {', '.join(running)} first")
    return _set(session, actor, customer, active=False, now=now)


def reactivate(session: Session, actor: Actor, customer_id: int, *, now: datetime) -> Customer:
    """Bill this customer again."""
    actor.require(Permission.CUSTOMER_WRITE)
    customer = queries.for_change(session, actor, customer_id, alone=True)
    return _set(session, actor, customer, active=True, now=now)


def _running(session: Session, customer_id: int) -> list[str]:
    """The subscriptions that have not ended, by their public ids; some of them where there are many."""
    statement = select(Subscription.public_id).where(
        Subscription.customer_id == customer_id, Subscription.state != SubscriptionState.CANCELED
    )
    return list(session.scalars(statement.order_by(Subscription.id).limit(5)))


def _set(session: Session, actor: Actor, customer: Customer, *, active: bool, now: datetime) -> Customer:
    if customer.active is not active:
        customer.active = active
        action = "customer.reactivate" if active else "customer.deactivate"
        audit.record(session, actor, action, ("customer", customer.id), label=customer.name, now=now)
        session.flush()
    return customer
