"""What a subscription will bill at the beginnings of its next periods, as far as that is known today.

By the functions that bill it: only usage, whose quantity nobody knows yet, comes on top.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.identity import Actor, Permission
from billing_core.invoices.content.totals import totals
from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.plans.models import BillingTiming, TrialEnd
from billing_core.promotions import reductions
from billing_core.promotions.models import PromoCode, PromoRedemption
from billing_core.promotions.reductions import NOTHING, PromoTerms, Reduction
from billing_core.subscriptions import beginning, invoicing, pricing, queries
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import Subscription
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
    at: datetime
    days: Period | None
    lines: tuple[BillLine, ...]
    tax_minor: int
    total_minor: int
    has_usage: bool = False
    is_paused: bool = False


@dataclass(slots=True)
class _Course:
    """Where the computation has come to; ``ended`` are the days of the period that has, None before the first."""

    number: int
    ended: Period | None
    ended_unbilled: bool
    periods_used: int


def bills(
    session: Session, actor: Actor, subscription_id: int, *, count: int, has_method: bool | None = None
) -> list[Bill]:
    """The next ones, so many at most: fewer where the subscription ends. ``has_method``: whether there is a payment
    method, where that is not decided yet.
    """
    actor.require(Permission.SUBSCRIPTION_READ)
    subscription = session.get_one(Subscription, subscription_id)
    if subscription.state is CANCELED:
        return []
    pays = subscription.payment_method_id is not None if has_method is None else has_method
    return list(_bills(session, subscription, count, pays))


def _bills(session: Session, subscription: Subscription, count: int, has_method: bool) -> Iterator[Bill]:
    terms = queries.terms(session, subscription)
    offer, code = terms.offer, _code(session, subscription)
    boundaries = beginning.cycle(subscription, offer)
    present = queries.period(session, subscription)
    course = _Course(
        number=-1 if present is None else present.number,
        ended=None if present is None else Period(present.first_day, present.last_day),
        ended_unbilled=present is not None and present.paused,
        periods_used=subscription.promo_periods_used,
    )
    is_paused = subscription.paused_at is not None
    if present is None and not has_method:
        if offer.trial_end is TrialEnd.CANCEL:
            return
        is_paused = is_paused or offer.trial_end is TrialEnd.PAUSE
    for _ in range(count):
        number = course.number + 1
        at = number - subscription.anchor_number
        is_over = subscription.cancel_at_period_end or (offer.ends_after is not None and number >= offer.ends_after)
        days = None if is_over else Period(boundaries.day(at), boundaries.last_day(at))
        items = _in_arrears(terms, code, course)
        if days is not None and offer.timing is BillingTiming.ADVANCE and not is_paused:
            items = [*pricing.items(terms, number, days, reduction=_reduction(terms, code, number, course)), *items]
        has_usage = offer.has_usage and course.ended is not None and not course.ended_unbilled
        if days is not None or items or has_usage:
            billed = _bill(subscription, items)
            yield Bill(
                number,
                boundaries.day(at),
                boundaries.boundary(at),
                days,
                *billed,
                has_usage=has_usage,
                is_paused=is_paused,
            )
        if days is None:
            return
        course.number, course.ended, course.ended_unbilled = number, days, is_paused


def _in_arrears(terms: Terms, code: PromoTerms | None, course: _Course) -> list[Item]:
    """For the period that has ended, by the terms of its end."""
    if course.ended is None or course.ended_unbilled or terms.offer.timing is not BillingTiming.ARREARS:
        return []
    reduction = _reduction(terms, code, course.number, course)
    return pricing.items(terms, course.number, course.ended, reduction=reduction)


def _reduction(terms: Terms, code: PromoTerms | None, number: int, course: _Course) -> Reduction:
    if code is None:
        return NOTHING
    found = reductions.reduction(code, terms.offer.price_in(number), terms.offer.currency, course.periods_used)
    course.periods_used += found.uses_period
    return found


def _bill(subscription: Subscription, items: Sequence[Item]) -> tuple[tuple[BillLine, ...], int, int]:
    """Its lines, their tax, and the total."""
    priced = [item for item in items if item.gross_minor]
    lines = [invoicing.line(item, SOURCE_LANGUAGE, subscription.currency, subscription.tax_rate) for item in priced]
    sums = totals([line.computed for line in lines], subscription.currency)
    told = tuple(BillLine(line.description, minor) for line, minor in zip(lines, sums.lines, strict=True))
    return told, sums.tax_minor, sums.total_minor


def _code(session: Session, subscription: Subscription) -> PromoTerms | None:
    if subscription.redemption_id is None:
        return None
    redeemed = session.get_one(PromoRedemption, subscription.redemption_id)
    return reductions.terms_of(session.get_one(PromoCode, redeemed.code_id))
