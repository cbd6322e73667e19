"""What a subscription will bill at the beginnings of its next periods, as far as that is known today.

By the functions that bill it, with the changes that are scheduled. Only usage, whose quantity nobody knows yet, comes
on top.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.content.totals import totals
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.plans.models import BillingTiming, TrialEnd
from billing_core.subscriptions import beginning, invoicing, pricing, queries
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.changes import wanted as asking
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription, SubscriptionChange, SubscriptionPeriod
from billing_core.subscriptions.pricing import Item, Terms


class BillLine(NamedTuple):
    """``amount_minor`` is after its discount and before tax."""

    description: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Bill:
    """What is billed on ``issued_on``, when the period ``days`` begins; None: after the last one. Minor units.

    ``has_usage``: what was used in the period before comes on top. ``is_paused``: nothing is billed for this period.
    """

    number: int
    issued_on: date
    days: Period | None
    lines: tuple[BillLine, ...]
    tax_minor: int
    total_minor: int
    has_usage: bool = False
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class _Ended:
    """A period that is over by then; ``begun`` where it has begun today. ``is_billed``: it was not paused."""

    number: int
    days: Period
    is_billed: bool
    begun: SubscriptionPeriod | None = None


@dataclass(slots=True)
class _Course:
    """Where the computation has come to. The next period begins ``place`` periods after the anchor; ``uses`` are the
    periods of the promo code that were used up on the way, ``scheduled`` the changes that are still to begin.
    """

    terms: Terms
    anchor: Cycle
    place: int
    ended: _Ended | None
    is_paused: bool
    scheduled: list[SubscriptionChange]
    uses: int = 0


def bills(
    session: Session, actor: Actor, subscription_id: int, *, count: int, has_method: bool | None = None
) -> list[Bill]:
    """The next ones, so many at most: fewer where the subscription ends. ``has_method``: whether there is a payment
    method, where that is not decided yet. NotFound where there is none or this actor may not see it.
    """
    actor.require(Permission.SUBSCRIPTION_READ)
    subscription = session.get(Subscription, subscription_id)
    if subscription is None or actor.customer_id not in (None, subscription.customer_id):
        raise NotFound("There is no such subscription")
    if subscription.state is CANCELED:
        return []
    pays = queries.payment_method(session, subscription) is not None if has_method is None else has_method
    return list(_bills(session, subscription, count, pays))


def _bills(session: Session, subscription: Subscription, count: int, has_method: bool) -> Iterator[Bill]:
    course = _begin(session, subscription)
    trial_end = course.terms.offer.trial_end
    if course.ended is None and not has_method:
        if trial_end is TrialEnd.CANCEL:
            return
        course.is_paused = course.is_paused or trial_end is TrialEnd.PAUSE
    for _ in range(count):
        ended = course.ended
        number = 0 if ended is None else ended.number + 1
        first_day = course.anchor.day(0) if ended is None else ended.days.end + timedelta(days=1)
        items, has_usage = _afterwards(session, subscription, course)
        ends_after = course.terms.offer.ends_after
        if subscription.cancel_at_period_end or (ends_after is not None and number >= ends_after):
            if items or has_usage:
                yield Bill(number, first_day, None, *_sums(subscription, items), has_usage=has_usage)
            return
        _change(session, course, first_day)
        days = Period(first_day, course.anchor.last_day(course.place))
        items = [*_in_advance(session, subscription, course, number, days), *items]
        sums = _sums(subscription, items)
        yield Bill(number, first_day, days, *sums, has_usage=has_usage, is_paused=course.is_paused)
        course.ended = _Ended(number, days, not course.is_paused)
        course.place += 1


def _begin(session: Session, subscription: Subscription) -> _Course:
    terms = queries.terms(session, subscription)
    anchor = beginning.cycle(subscription, terms.offer)
    is_paused = subscription.paused_at is not None
    scheduled = queries.scheduled(session, subscription.id)
    begun = queries.period(session, subscription)
    if begun is None:
        return _Course(terms, anchor, 0, None, is_paused, scheduled)
    ended = _Ended(begun.number, Period(begun.first_day, begun.last_day), not begun.paused, begun)
    return _Course(terms, anchor, begun.number + 1 - subscription.anchor_number, ended, is_paused, scheduled)


def _change(session: Session, course: _Course, first_day: date) -> None:
    """What is scheduled for the period of this first day; one of another length moves the anchor."""
    begins = asking.beginning_on(first_day, course.scheduled)
    if not begins:
        return
    after = asking.merged(session, course.terms, [one.wanted for one in begins])
    to_other_plan = after.offer.code != course.terms.offer.code
    course.scheduled = [
        one for one in course.scheduled if one not in begins and not (to_other_plan and one.move_id is not None)
    ]
    if not asking.same_interval(course.terms, after):
        offer = after.offer
        course.anchor = replace(
            course.anchor, anchor_day=first_day, interval=offer.interval, count=offer.interval_count
        )
        course.place = 0
    course.terms = after


def _afterwards(session: Session, subscription: Subscription, course: _Course) -> tuple[Sequence[Item], bool]:
    """What is due in arrears for the period that is over, and whether its usage is billed with it."""
    ended, offer = course.ended, course.terms.offer
    if ended is None or not ended.is_billed:
        return (), False
    if ended.begun is not None:
        stretches = beginning.stretches(session, subscription, ended.begun)
        items, uses = beginning.items_in_arrears(session, subscription, ended.begun, stretches)
        course.uses += uses
        return items, any(terms.offer.has_usage for terms, _ in stretches)
    if offer.timing is not BillingTiming.ARREARS:
        return (), offer.has_usage
    return _items(session, subscription, course, ended.number, ended.days), offer.has_usage


def _in_advance(
    session: Session, subscription: Subscription, course: _Course, number: int, days: Period
) -> Sequence[Item]:
    if course.is_paused or course.terms.offer.timing is not BillingTiming.ADVANCE:
        return ()
    return _items(session, subscription, course, number, days)


def _items(session: Session, subscription: Subscription, course: _Course, number: int, days: Period) -> Sequence[Item]:
    """Of a whole period, which uses up one of the promo code's."""
    reduction = beginning.reduction(session, subscription, course.terms.offer, number, used_since=course.uses)
    course.uses += reduction.uses_period
    return pricing.items(course.terms, number, days, reduction=reduction)


def _sums(subscription: Subscription, items: Sequence[Item]) -> tuple[tuple[BillLine, ...], int, int]:
    """Lines as an invoice has them, their tax, and the total."""
    priced = [item for item in items if item.gross_minor]
    lines = [invoicing.line(item, SOURCE_LANGUAGE, subscription.currency, subscription.tax_rate) for item in priced]
    sums = totals([line.computed for line in lines], subscription.currency)
    told = tuple(BillLine(line.description, minor) for line, minor in zip(lines, sums.lines, strict=True))
    return told, sums.tax_minor, sums.total_minor
