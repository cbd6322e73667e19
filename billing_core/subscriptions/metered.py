"""Subscriptions to plans with usage: the customer's usage is priced by that plan, and billed with the subscription."""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.errors import Conflict
from billing_core.identity import Actor
from billing_core.plans import queries as plans
from billing_core.plans import service as assignments
from billing_core.subscriptions import queries
from billing_core.subscriptions.models import Subscription, SubscriptionState


def put_on(session: Session, actor: Actor, subscription: Subscription, first_day: date, *, now: datetime) -> None:
    """Price the customer's usage by the subscription's plan from a day on, if that has a price for any.

    Conflict where another subscription of the customer bills its usage.
    """
    offer = queries.terms(session, subscription).offer
    if not offer.has_usage:
        return
    if other := _other(session, subscription):
        raise Conflict(f"The customer's usage is billed with the subscription {other.public_id} already")
    on_it = plans.on_plan(session, subscription.customer_id, Period(first_day, first_day))
    if not on_it or on_it[0].version.id != offer.version_id:
        assignments.put_on(session, actor, subscription.customer_id, offer.code, valid_from=first_day, now=now)


def take_off(session: Session, actor: Actor, subscription: Subscription, first_day: date, *, now: datetime) -> None:
    """Leave the customer on no plan from a day on, if its usage was billed with the subscription."""
    if not queries.terms(session, subscription).offer.has_usage:
        return
    if plans.on_plan(session, subscription.customer_id, Period(first_day, first_day)):
        assignments.take_off(session, actor, subscription.customer_id, valid_from=first_day, now=now)


def _other(session: Session, subscription: Subscription) -> Subscription | None:
    """Another one of the customer that goes on, and whose plan has usage."""
    theirs = select(Subscription).where(
        Subscription.customer_id == subscription.customer_id,
        Subscription.id != subscription.id,
        Subscription.state != SubscriptionState.CANCELED,
    )
    return next((one for one in session.scalars(theirs) if queries.terms(session, one).offer.has_usage), None)
