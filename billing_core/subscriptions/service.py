"""Signing customers up for plans."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.standing import refuse_inactive
from billing_core.errors import Invalid
from billing_core.identity import Actor, Permission
from billing_core.plans import offers
from billing_core.plans import queries as plans
from billing_core.plans.models import PlanVersion
from billing_core.promotions import redeeming
from billing_core.subscriptions import beginning, calendar, invoicing, lifecycle, metered, pricing
from billing_core.subscriptions.lifecycle import ACTIVE, INCOMPLETE, TRIALING
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice, SubscriptionTerms
from billing_core.subscriptions.pricing import Terms

LONGEST_TRIAL: Final = 365


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a customer signs up for. ``plan_code`` names the plan's latest version. ``currency`` None: the customer's.
    ``tax_rate`` is percent.
    """

    customer_id: str
    plan_code: str
    trial_days: int = 0
    promo_code: str = ""
    seats: int = 1
    add_ons: Mapping[str, int] = field(default_factory=dict)
    tax_rate: Decimal = Decimal(0)


def create(
    session: Session, actor: Actor, wanted: Wanted, *, method_id: int | None, now: datetime
) -> tuple[Subscription, SubscriptionInvoice | None]:
    """A new subscription, in its trial or in its first period, and the draft of what that costs, if it costs anything.

    With a payment method the subscription is incomplete until the draft is paid; without one the draft is sent.
    NotFound where there is no such customer or plan; Invalid names the field at fault.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    customer = customers.for_change(session, actor, customers.by_public_id(session, actor, wanted.customer_id).id)
    refuse_inactive(customer)
    business = session.get_one(Business, customer.business_id)
    version_id = agreed(session, actor, customer, wanted)
    created_at = now.replace(microsecond=0)
    zone = customer.time_zone or business.time_zone
    begins_at = calendar.days_later(created_at, wanted.trial_days, zone)
    anchor_day, anchor_time = calendar.local(begins_at, zone)
    subscription = Subscription(
        business_id=business.id,
        customer_id=customer.id,
        plan_version_id=version_id,
        currency=customer.currency,
        seats=wanted.seats,
        add_ons=dict(wanted.add_ons),
        tax_rate=wanted.tax_rate,
        state=TRIALING if wanted.trial_days else INCOMPLETE,
        zone=zone,
        anchor_day=anchor_day,
        anchor_time=anchor_time,
        trial_ends_at=begins_at if wanted.trial_days else None,
        next_at=begins_at if wanted.trial_days else None,
        payment_method_id=method_id,
        created_at=created_at,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    session.add(subscription)
    session.flush()
    first_day = calendar.local(created_at, zone)[0]
    session.add(
        SubscriptionTerms(
            subscription_id=subscription.id,
            first_day=first_day,
            plan_version_id=version_id,
            seats=wanted.seats,
            add_ons=dict(wanted.add_ons),
        )
    )
    if wanted.promo_code:
        redeemed = redeeming.redeem(
            session,
            actor,
            wanted.promo_code,
            customer_id=customer.id,
            plan_id=session.get_one(PlanVersion, version_id).plan_id,
            currency=subscription.currency,
            subject=subscription.public_id,
            now=now,
        )
        subscription.redemption_id = redeemed.id
    facts = {"plan": wanted.plan_code, "seats": wanted.seats, "add_ons": dict(wanted.add_ons)}
    facts |= {"trial_days": wanted.trial_days, "promo_code": wanted.promo_code or None, "customer": customer.public_id}
    lifecycle.record(session, actor, subscription, "create", None, facts, now=now)
    if wanted.trial_days:
        metered.put_on(session, actor, subscription, first_day, in_trial=True, now=now)
        return subscription, None
    return subscription, beginning.first_period(session, actor, subscription, now=now)


def activate(
    session: Session, actor: Actor, subscription: Subscription, first: SubscriptionInvoice, *, now: datetime
) -> None:
    """Begin with an invoice that is to be paid later, or that there is nothing to pay on."""
    lifecycle.move(session, actor, subscription, ACTIVE, now=now)
    invoicing.issue(session, actor, first, now=now)


def agreed(session: Session, actor: Actor, customer: Customer, wanted: Wanted) -> int:
    """The version of the plan that is agreed on, once everything is checked."""
    if not 0 <= wanted.trial_days <= LONGEST_TRIAL:
        reason = f"must be from 0 to {LONGEST_TRIAL}"
        raise Invalid(f"trial_days {reason}", fields={"trial_days": reason})
    version = plans.latest(session, actor, wanted.plan_code)
    pricing.check(Terms(offers.offer(session, version.id, customer.currency), wanted.seats, wanted.add_ons))
    return version.id
