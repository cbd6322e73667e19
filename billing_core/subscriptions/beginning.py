"""Beginning periods: the first, and one after the other, each with its invoice."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.plans.models import BillingTiming
from billing_core.plans.offers import Offer
from billing_core.promotions import reductions
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.promotions.reductions import NOTHING, Reduction
from billing_core.subscriptions import invoicing, metered, pricing, queries
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.models import (
    InvoiceKind,
    Subscription,
    SubscriptionInvoice,
    SubscriptionPeriod,
    SubscriptionTerms,
)
from billing_core.subscriptions.pricing import Item


def cycle(subscription: Subscription, offer: Offer) -> Cycle:
    """By which the boundaries after the anchor are found."""
    return Cycle(
        subscription.anchor_day, subscription.anchor_time, subscription.zone, offer.interval, offer.interval_count
    )


def first_period(session: Session, actor: Actor, subscription: Subscription, *, now: datetime) -> SubscriptionInvoice:
    """Begin the first period at the anchor, and draft what is due in advance."""
    metered.put_on(session, actor, subscription, subscription.anchor_day, now=now)
    return next_period(session, actor, subscription, None, now=now)


def next_period(
    session: Session, actor: Actor, subscription: Subscription, ended: SubscriptionPeriod | None, *, now: datetime
) -> SubscriptionInvoice:
    """Begin the period after the one that has ``ended``, and draft its invoice: what is due in advance for it, and in
    arrears for that one.
    """
    terms = queries.terms(session, subscription)
    number = 0 if ended is None else ended.number + 1
    begun = _period(subscription, terms.offer, number, ended)
    session.add(begun)
    subscription.period_number, subscription.next_at = number, begun.ends_at
    session.flush()
    days = Period(begun.first_day, begun.last_day)
    items: list[Item] = []
    if terms.offer.timing is BillingTiming.ADVANCE and not begun.paused:
        reduction = _reduction(session, subscription, terms.offer.price_in(number))
        items += pricing.items(terms, number, days, reduction=reduction)
    if ended is not None:
        items += in_arrears(session, subscription, ended)
    return invoicing.draft(
        session,
        actor,
        subscription,
        items,
        number=number,
        kind=InvoiceKind.PERIOD,
        issued_on=begun.first_day,
        now=now,
        usage_days=None if ended is None or ended.paused else used_days(session, ended),
    )


def final(
    session: Session, actor: Actor, subscription: Subscription, ended: SubscriptionPeriod, *, now: datetime
) -> SubscriptionInvoice:
    """Draft what is left to bill once the last period is over."""
    metered.take_off(session, actor, subscription, ended.last_day + timedelta(days=1), now=now)
    return invoicing.draft(
        session,
        actor,
        subscription,
        in_arrears(session, subscription, ended),
        number=ended.number,
        kind=InvoiceKind.FINAL,
        issued_on=ended.last_day + timedelta(days=1),
        now=now,
        usage_days=None if ended.paused else used_days(session, ended),
    )


def in_arrears(session: Session, subscription: Subscription, ended: SubscriptionPeriod) -> list[Item]:
    """What the terms of its days cost, of those that are due afterwards."""
    if ended.paused:
        return []
    period = Period(ended.first_day, ended.last_day)
    items: list[Item] = []
    for agreed, days in _stretches(session, subscription, period):
        terms = queries.terms_of(session, agreed.plan_version_id, subscription.currency, agreed.seats, agreed.add_ons)
        if terms.offer.timing is BillingTiming.ARREARS:
            reduction = _reduction(session, subscription, terms.offer.price_in(ended.number))
            items += pricing.items(terms, ended.number, period, days=days, reduction=reduction)
    return items


def used_days(session: Session, ended: SubscriptionPeriod) -> Period | None:
    """The days whose usage is billed with the subscription, if its plan has any."""
    subscription = session.get_one(Subscription, ended.subscription_id)
    offer = queries.terms_of(session, ended.plan_version_id, subscription.currency, 1, {}).offer
    return Period(ended.first_day, ended.last_day) if offer.has_usage else None


def _period(
    subscription: Subscription, offer: Offer, number: int, ended: SubscriptionPeriod | None
) -> SubscriptionPeriod:
    """It begins where the one before has ended, also where the zone has changed meanwhile."""
    boundaries, at = cycle(subscription, offer), number - subscription.anchor_number
    return SubscriptionPeriod(
        subscription_id=subscription.id,
        number=number,
        starts_at=boundaries.boundary(at) if ended is None else ended.ends_at,
        ends_at=boundaries.boundary(at + 1),
        first_day=boundaries.day(at) if ended is None else ended.last_day + timedelta(days=1),
        last_day=boundaries.last_day(at),
        plan_version_id=subscription.plan_version_id,
        paused=subscription.paused_at is not None,
    )


def _reduction(session: Session, subscription: Subscription, price_minor: int) -> Reduction:
    """What the promo code takes off the price of a whole period, which it counts."""
    if subscription.redemption_id is None:
        return NOTHING
    code = session.get_one(PromoCode, session.get_one(PromoRedemption, subscription.redemption_id).code_id)
    terms = reductions.terms_of(code)
    found = reductions.reduction(terms, price_minor, subscription.currency, subscription.promo_periods_used)
    subscription.promo_periods_used += found.uses_period
    return found


def _stretches(
    session: Session, subscription: Subscription, period: Period
) -> Iterator[tuple[SubscriptionTerms, Period]]:
    """The terms of the days of a period, each with its days."""
    begun = select(func.max(SubscriptionTerms.first_day)).where(
        SubscriptionTerms.subscription_id == subscription.id, SubscriptionTerms.first_day <= period.start
    )
    statement = select(SubscriptionTerms).where(
        SubscriptionTerms.subscription_id == subscription.id,
        SubscriptionTerms.first_day >= begun.scalar_subquery(),
        SubscriptionTerms.first_day <= period.end,
    )
    rows = list(session.scalars(statement.order_by(SubscriptionTerms.first_day)))
    ends: list[date] = [row.first_day - timedelta(days=1) for row in rows[1:]] + [period.end]
    for row, last_day in zip(rows, ends, strict=True):
        yield row, Period(max(row.first_day, period.start), last_day)
