"""Asking customers, because a person wants it, to pay what their card could not be charged for, or for a card."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, func, select
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database import Sessions
from billing_core.errors import Conflict
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.mailing import service as mailing
from billing_core.mailing.models import MailKind
from billing_core.online_payments.gateway import Gateway
from billing_core.online_payments.models import AttemptState, ChargeAttempt
from billing_core.outbox import queries as outbox
from billing_core.outbox.queries import Earlier
from billing_core.plans.models import Plan, PlanVersion
from billing_core.subscriptions import collecting, lifecycle, listing, queries
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.telling import letters

_MOST: Final = 50


class FailedCharge(NamedTuple):
    """``at``: when it is charged again, None if it is not."""

    invoice_id: int
    at: datetime | None


class Failing(NamedTuple):
    """A subscription with so many ``invoices`` that could not be charged, of which ``due_minor`` is open. ``next_at``:
    when the first of them is charged again, None where all are given up.
    """

    subscription_id: int
    customer_name: str
    plan_name: str
    currency: str
    invoices: int
    due_minor: int
    next_at: datetime | None


def failing(session: Session, actor: Actor, *, limit: int) -> list[Failing]:
    """Those that are given up come first, then those that are charged again soonest."""
    actor.require(Permission.INVOICE_READ)
    soonest = func.min(_next_at(), type_=SubscriptionInvoice.collect_at.type)
    each = (Subscription.id, Customer.name, Plan.name, Invoice.currency)
    sums = (func.count(), cast(func.sum(Invoice.due_minor), BigInteger), soonest)
    statement = (
        _failed(actor, *each, *sums)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(PlanVersion, PlanVersion.id == Subscription.plan_version_id)
        .join(Plan, Plan.id == PlanVersion.plan_id)
        .group_by(*each)
        .order_by(soonest.is_not(None), soonest, Subscription.id)
    )
    return [Failing(*row) for row in session.execute(statement.limit(limit))]


def failed(session: Session, actor: Actor, subscription_id: int) -> list[FailedCharge]:
    """The open invoices of a subscription that could not be charged, the oldest first."""
    actor.require(Permission.INVOICE_READ)
    statement = _failed(actor, Invoice.id, _next_at()).where(Subscription.id == subscription_id)
    return [FailedCharge(*row) for row in session.execute(statement.order_by(Invoice.id).limit(_MOST))]


def next_attempts(session: Session, actor: Actor, subscription_ids: Sequence[int]) -> dict[int, datetime | None]:
    """When what could not be charged of these subscriptions is charged again, None where it is not; those of which
    nothing failed are left out.
    """
    actor.require(Permission.INVOICE_READ)
    soonest = func.min(_next_at(), type_=SubscriptionInvoice.collect_at.type)
    statement = _failed(actor, Subscription.id, soonest).where(Subscription.id.in_(subscription_ids))
    return {row[0]: row[1] for row in session.execute(statement.group_by(Subscription.id))}


def mail_links(sessions: Sessions, actor: Actor, gateway: Gateway, subscription_id: int, *, now: datetime) -> int:
    """Mail each of these invoices with the ways to pay it: a link, which also confirms the payment where the bank wants
    that, and the address for another card. How many mails there are; one that a mail waits for is left out.
    """
    actor.require(Permission.LINK_WRITE)
    actor.require(Permission.INVOICE_SEND)
    with sessions() as session:
        ids = [one.invoice_id for one in failed(session, actor, subscription_id)]
    for invoice_id in ids:
        collecting.have_link(sessions, actor, gateway, invoice_id, now=now)
    if not ids:
        return 0
    with sessions.begin() as session:
        subscription = queries.for_change(session, actor, subscription_id)
        mailed = _mail_each(session, actor, subscription, now)
        lifecycle.record(session, actor, subscription, "mail_links", None, {"invoices": mailed}, now=now)
        return len(mailed)


def ask_for_card(session: Session, actor: Actor, subscription_id: int, *, now: datetime) -> None:
    """Mail the customer the address where they enter a card, which is charged from then on, and at once for what an
    earlier one did not pay. Conflict where it is canceled, a mail of that waits already, or there is no address.
    """
    actor.require(Permission.PAYMENT_WRITE)
    actor.require(Permission.INVOICE_SEND)
    found = listing.by_id(session, actor, subscription_id)
    subscription = queries.for_change(session, actor, found.id)
    if subscription.state is CANCELED:
        raise Conflict(f"The subscription {subscription.public_id} is canceled")
    known = outbox.earlier(session, "subscription", [subscription_id], [MailKind.CARD_REQUEST])
    earlier = known.get(subscription_id, Earlier())
    if earlier.waiting:
        raise Conflict("A mail that asks for a card waits to be sent already")
    if not letters.card_asked_for(session, actor, subscription, number=earlier.count + 1, now=now):
        raise Conflict(f"{found.customer_name} has no e-mail address")
    lifecycle.record(session, actor, subscription, "ask_for_card", None, {}, now=now)


def _mail_each(session: Session, actor: Actor, subscription: Subscription, now: datetime) -> list[int]:
    """The invoices that are mailed."""
    unpaid = {one.invoice_id: one.at for one in failed(session, actor, subscription.id)}
    tried = {} if subscription.state is CANCELED else _newest_attempts(session, list(unpaid))
    earlier = outbox.earlier(session, "invoice", list(tried), [MailKind.CHARGE_FAILED])
    mailed = []
    for invoice_id, attempt in tried.items():
        before = earlier.get(invoice_id, Earlier())
        if not before.waiting and letters.charge_failed(
            session, actor, subscription, attempt, next_at=unpaid[invoice_id], again=before.count, now=now
        ):
            mailed.append(invoice_id)
    # No card is charged any more for what is cancelled, and none is asked for: the invoice says how to pay it.
    alone = [one for one in unpaid if one not in tried]
    today = businesses.days(session, now=now)
    left_out = {one.invoice_id for one in mailing.send_many(session, actor, alone, now=now, today=today).left_out}
    return [*mailed, *(one for one in alone if one not in left_out)]


def _newest_attempts(session: Session, invoice_ids: Sequence[int]) -> dict[int, ChargeAttempt]:
    """The last one of each invoice whose outcome is known."""
    newest = select(func.max(ChargeAttempt.id)).where(
        ChargeAttempt.invoice_id.in_(invoice_ids), ChargeAttempt.state != AttemptState.STARTED
    )
    found = select(ChargeAttempt).where(ChargeAttempt.id.in_(newest.group_by(ChargeAttempt.invoice_id)))
    return {one.invoice_id: one for one in session.scalars(found.order_by(ChargeAttempt.id))}


def _next_at() -> ColumnElement[datetime | None]:
    """None where it is not charged again, but given up by then."""
    return case((SubscriptionInvoice.gives_up_at.is_(None), SubscriptionInvoice.collect_at))


def _failed(actor: Actor, *columns: Any) -> Select[*tuple[Any, ...]]:
    """The open invoices of subscriptions that could not be charged."""
    return (
        select(*columns)
        .join_from(Invoice, SubscriptionInvoice, SubscriptionInvoice.invoice_id == Invoice.id)
        .join(Subscription, Subscription.id == SubscriptionInvoice.subscription_id)
        .where(
            SubscriptionInvoice.failed_at.is_not(None),
            Invoice.state == InvoiceState.OPEN,
            visible_to(actor, Subscription.customer_id),
        )
    )
