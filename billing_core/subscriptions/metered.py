"""Subscriptions to plans with usage: the customer's usage is priced by that plan, and billed with the subscription."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.payments import sending
from billing_core.plans import subscribed
from billing_core.subscriptions import queries
from billing_core.subscriptions.models import Subscription
from billing_core.usage import billing as usage


def put_on(
    session: Session,
    actor: Actor,
    subscription: Subscription,
    first_day: date,
    *,
    in_trial: bool = False,
    now: datetime,
) -> None:
    """Price the customer's usage by the subscription's plan from a day on, if that has a price for any.

    Conflict where another subscription of the customer bills its usage, or it is billed already.
    """
    offer = queries.terms(session, subscription).offer
    if not offer.has_usage:
        return
    subscribed.put_on(
        session,
        actor,
        subscription.customer_id,
        offer.version_id,
        valid_from=first_day,
        billed_with=subscription.public_id,
        in_trial=in_trial,
        now=now,
    )


def take_off(session: Session, actor: Actor, subscription: Subscription, first_day: date, *, now: datetime) -> None:
    """Leave the customer on no plan from a day on, if its usage is billed with the subscription."""
    subscribed.take_off(
        session,
        actor,
        subscription.customer_id,
        valid_from=first_day,
        billed_with=subscription.public_id,
        now=now,
    )


def refuse_other(session: Session, subscription: Subscription, first_day: date) -> None:
    """Conflict where the customer's usage from a day on is billed with another subscription."""
    customer = session.get_one(Customer, subscription.customer_id)
    subscribed.refuse_change(session, customer, first_day, by=subscription.public_id)


def bill(
    session: Session, actor: Actor, subscription: Subscription, days: Period, *, issued_on: date, now: datetime
) -> int | None:
    """Bill the customer's usage on these days, and what came late for earlier ones; the draft that the rest of the
    invoice can be written into, None where there is none. Late usage that has a document of its own is sent with it.
    """
    billed = usage.bill(
        session,
        actor,
        subscription.customer_id,
        days,
        now=now,
        today=issued_on,
        tax_rate=subscription.tax_rate,
        billed_with=subscription.public_id,
    )
    if not billed.created:
        return None
    if billed.own_invoice_id is not None:
        sending.send(session, actor, billed.own_invoice_id, now=now)
    return billed.next_invoice_id


def close_trial(
    session: Session, actor: Actor, subscription: Subscription, days: Period, *, issued_on: date, now: datetime
) -> None:
    """Close days of the trial on which its plan had usage: what was used on them costs nothing, now or later. What came
    late for days before is billed with them.
    """
    invoice_id = bill(session, actor, subscription, days, issued_on=issued_on, now=now)
    if invoice_id is not None:
        sending.send(session, actor, invoice_id, now=now)
