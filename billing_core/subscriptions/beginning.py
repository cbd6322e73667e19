"""Beginning periods: the first, and one after the other, each with its invoice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Date, Integer, Select, bindparam, func, select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.plans.models import BillingTiming, PlanVersion
from billing_core.plans.offers import Offer
from billing_core.promotions import reductions
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.promotions.reductions import NOTHING, PromoTerms, Reduction
from billing_core.subscriptions import calendar, invoicing, metered, pricing, queries
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.models import (
    ChargeKind,
    InvoiceKind,
    Subscription,
    SubscriptionCharge,
    SubscriptionInvoice,
    SubscriptionPeriod,
    SubscriptionTerms,
)
from billing_core.subscriptions.pricing import Item, Terms

_ONE_DAY: Final = timedelta(days=1)


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
    begins_at = ended.ends_at if ended is not None else cycle(subscription, terms.offer).boundary(0)
    _follow_zone(session, subscription, terms.offer, number, begins_at)
    begun = _period(subscription, terms.offer, number, begins_at, ended)
    items: list[Item] = []
    usage_days = None
    if ended is not None and not ended.paused:
        found = stretches(session, subscription, ended)
        items, usage_days = _in_arrears(session, subscription, ended, found), used_days(found)
    if terms.offer.timing is BillingTiming.ADVANCE and not begun.paused:
        taken = reduction(session, subscription, terms.offer, number)
        subscription.promo_periods_used += taken.uses_period
        items = pricing.items(terms, number, Period(begun.first_day, begun.last_day), reduction=taken) + items
    # Written at once with its invoice, after all that is read.
    session.add(begun)
    subscription.period_number, subscription.next_at = number, begun.ends_at
    return invoicing.draft(
        session,
        actor,
        subscription,
        items,
        number=number,
        kind=InvoiceKind.PERIOD,
        issued_on=begun.first_day,
        now=now,
        usage_days=usage_days,
    )


def final(
    session: Session, actor: Actor, subscription: Subscription, ended: SubscriptionPeriod, *, now: datetime
) -> SubscriptionInvoice:
    """Draft what is left to bill once the last period is over, or the day on which it was cancelled inside of it."""
    used = used_until_end(subscription, ended)
    following = used.end + _ONE_DAY
    metered.take_off(session, actor, subscription, following, now=now)
    items: list[Item] = []
    usage_days = None
    if not ended.paused:
        found = stretches(session, subscription, ended, used)
        items, usage_days = _in_arrears(session, subscription, ended, found), used_days(found)
    return invoicing.draft(
        session,
        actor,
        subscription,
        items,
        number=ended.number,
        kind=InvoiceKind.FINAL,
        issued_on=following,
        now=now,
        usage_days=usage_days,
    )


def used_until_end(subscription: Subscription, ended: SubscriptionPeriod) -> Period:
    """The days of the last period: where it was cancelled inside of it, up to that day, which counts as used."""
    last_day = ended.last_day
    if subscription.canceled_at is not None:
        last_day = min(last_day, calendar.local(subscription.canceled_at, subscription.zone)[0])
    return Period(ended.first_day, max(last_day, ended.first_day))


def _in_arrears(
    session: Session, subscription: Subscription, ended: SubscriptionPeriod, found: Sequence[tuple[Terms, Period]]
) -> list[Item]:
    """What the terms of its days cost, of those that are due afterwards."""
    items, uses = items_in_arrears(session, subscription, ended, found)
    subscription.promo_periods_used += uses
    return items


def used_days(found: Sequence[tuple[Terms, Period]]) -> Period | None:
    """The days whose usage is billed with the subscription: from the first to the last whose plan has any."""
    metered_days = [days for terms, days in found if terms.offer.has_usage]
    return Period(metered_days[0].start, metered_days[-1].end) if metered_days else None


def _period(
    subscription: Subscription, offer: Offer, number: int, begins_at: datetime, ended: SubscriptionPeriod | None
) -> SubscriptionPeriod:
    """It begins where the one before, or the trial, has ended, also where the zone has changed meanwhile."""
    boundaries, at = cycle(subscription, offer), number - subscription.anchor_number
    return SubscriptionPeriod(
        subscription_id=subscription.id,
        number=number,
        starts_at=begins_at,
        ends_at=boundaries.boundary(at + 1),
        first_day=boundaries.day(at) if ended is None else ended.last_day + _ONE_DAY,
        last_day=boundaries.last_day(at),
        plan_version_id=subscription.plan_version_id,
        paused=subscription.paused_at is not None,
    )


def _follow_zone(session: Session, subscription: Subscription, offer: Offer, number: int, begins_at: datetime) -> None:
    """From the period on that begins then the days are those of the zone that the customer is billed in by now. A
    period shorter than clocks differ could be over before it begins: then the next one follows.
    """
    customer = session.get_one(Customer, subscription.customer_id)
    zone = customer.time_zone or session.get_one(Business, customer.business_id).time_zone
    if zone == subscription.zone:
        return
    ends_at = replace(cycle(subscription, offer), zone=zone).boundary(number - subscription.anchor_number + 1)
    if ends_at > begins_at:
        subscription.zone = zone


def stretches(
    session: Session, subscription: Subscription, ended: SubscriptionPeriod, used: Period | None = None
) -> list[tuple[Terms, Period]]:
    """The terms of the days of a period, or of those ``used``, each with its days."""
    return _terms_on(session, subscription, used or Period(ended.first_day, ended.last_day))


def metered_in_trial(session: Session, subscription: Subscription) -> list[Period]:
    """The days of the trial on which its plan had usage, those in a row together."""
    first_day, last_day = (
        calendar.local(subscription.created_at, subscription.zone)[0],
        subscription.anchor_day - _ONE_DAY,
    )
    found: list[Period] = []
    for terms, days in _terms_on(session, subscription, Period(first_day, last_day)) if first_day <= last_day else ():
        if not terms.offer.has_usage:
            continue
        if found and found[-1].end + _ONE_DAY == days.start:
            days = Period(found.pop().start, days.end)
        found.append(days)
    return found


def _terms_on(session: Session, subscription: Subscription, days: Period) -> list[tuple[Terms, Period]]:
    facts = {"subscription_id": subscription.id, "first_day": days.start, "last_day": days.end}
    rows = list(session.scalars(_TERMS, facts))
    ends: list[date] = [row.first_day - _ONE_DAY for row in rows[1:]] + [days.end]
    return [
        (
            queries.terms_of(session, row.plan_version_id, subscription.currency, row.seats, row.add_ons),
            Period(max(row.first_day, days.start), last_day),
        )
        for row, last_day in zip(rows, ends, strict=True)
    ]


def _terms() -> Select[SubscriptionTerms]:
    """What was agreed on the days from ``first_day`` to ``last_day``, in their order."""
    theirs = SubscriptionTerms.subscription_id == bindparam("subscription_id", type_=Integer)
    begun = select(func.max(SubscriptionTerms.first_day)).where(
        theirs, SubscriptionTerms.first_day <= bindparam("first_day", type_=Date)
    )
    touching = select(SubscriptionTerms).where(
        theirs,
        SubscriptionTerms.first_day >= begun.scalar_subquery(),
        SubscriptionTerms.first_day <= bindparam("last_day", type_=Date),
    )
    return touching.order_by(SubscriptionTerms.first_day)


# Put together once, which takes longer than carrying it out.
_TERMS = _terms()


def reduction(
    session: Session, subscription: Subscription, offer: Offer, number: int, *, used_since: int = 0
) -> Reduction:
    """What the promo code takes off the price of a period that begins; ``used_since``: periods that are yet to be
    counted before it.
    """
    used = subscription.promo_periods_used + used_since
    return _reduction(session, subscription, offer, offer.price_in(number), used)


def reduction_inside(
    session: Session, subscription: Subscription, offer: Offer, begun: SubscriptionPeriod, day: date
) -> Reduction:
    """What it takes off the price of the present period under other terms, from a day on. What is billed inside of a
    period uses none up (settled point 37): a code that does not last for ever takes nothing off where it took none off
    before, unless it will of what is due afterwards for the days before. That counts the period once, with this.
    """
    price_minor, used = offer.price_in(begun.number), subscription.promo_periods_used
    if _was_reduced(session, subscription, begun):
        return replace(_reduction(session, subscription, offer, price_minor, used - 1), uses_period=False)
    found = _reduction(session, subscription, offer, price_minor, used)
    before = Period(begun.first_day, day - _ONE_DAY) if day > begun.first_day else None
    if before and items_in_arrears(session, subscription, begun, stretches(session, subscription, begun, before))[1]:
        return found
    code = _code(session, subscription)
    return NOTHING if code is None or code.most_periods is not None else replace(found, uses_period=False)


def items_in_arrears(
    session: Session, subscription: Subscription, ended: SubscriptionPeriod, stretches: Sequence[tuple[Terms, Period]]
) -> tuple[list[Item], bool]:
    """What is due afterwards for a period with these terms; whether that uses up a period of the code."""
    was_reduced = _was_reduced(session, subscription, ended)
    used = subscription.promo_periods_used - was_reduced
    items: list[Item] = []
    uses = False
    for terms, days in stretches:
        if terms.offer.timing is not BillingTiming.ARREARS:
            continue
        taken = _reduction(session, subscription, terms.offer, terms.offer.price_in(ended.number), used)
        uses = uses or taken.uses_period
        whole = Period(ended.first_day, ended.last_day)
        items += pricing.items(terms, ended.number, whole, days=days, reduction=taken)
    return items, uses and not was_reduced


def _reduction(
    session: Session, subscription: Subscription, offer: Offer, price_minor: int, periods_used: int
) -> Reduction:
    """A code for one plan reduces no other that the subscription has changed to."""
    terms = _code(session, subscription)
    if terms is None:
        return NOTHING
    if terms.plan_id is not None and terms.plan_id != session.get_one(PlanVersion, offer.version_id).plan_id:
        return NOTHING
    return reductions.reduction(terms, price_minor, subscription.currency, periods_used)


def _code(session: Session, subscription: Subscription) -> PromoTerms | None:
    if subscription.redemption_id is None:
        return None
    redeemed = session.get_one(PromoRedemption, subscription.redemption_id)
    return reductions.terms_of(session.get_one(PromoCode, redeemed.code_id))


def _was_reduced(session: Session, subscription: Subscription, begun: SubscriptionPeriod) -> bool:
    """Whether what was billed of its own days was reduced; its invoice bills days before it too."""
    if subscription.redemption_id is None:
        return False
    reduced = select(SubscriptionCharge.id).where(
        SubscriptionCharge.subscription_id == subscription.id,
        SubscriptionCharge.period_number == begun.number,
        SubscriptionCharge.first_day >= begun.first_day,
        SubscriptionCharge.kind == ChargeKind.PLAN,
        SubscriptionCharge.discount_minor > 0,
    )
    return session.scalar(reduced.limit(1)) is not None
