"""The invoice that follows: what the next period, or the end of the last one, will bill besides usage."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.invoices.content import totals
from billing_core.plans.models import TrialEnd
from billing_core.subscriptions import beginning, invoicing, pricing, queries
from billing_core.subscriptions.calendar import Cycle
from billing_core.subscriptions.changes.wanted import is_in_advance, same_interval
from billing_core.subscriptions.models import Subscription, SubscriptionPeriod
from billing_core.subscriptions.pricing import Item, Terms

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """``amount_minor`` is before tax, and below 0 for what is credited."""

    description: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Sums:
    """Of lines as an invoice has them, in minor units."""

    lines: tuple[Line, ...]
    subtotal_minor: int
    tax_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class NextInvoice:
    """``day``: that of the invoice. What credit will pay of it is not taken off."""

    day: date
    sums: Sums


@dataclass(frozen=True, slots=True)
class Present:
    """The period that goes on: ``stretches`` are its days with their terms, ``place`` its place after the anchor.
    ``promo_periods`` of the promo code are used by its beginning, and yet to be counted.
    """

    period: SubscriptionPeriod
    stretches: Sequence[tuple[Terms, Period]]
    anchor: Cycle
    place: int
    terms: Terms
    promo_periods: int = 0


def of_items(session: Session, subscription: Subscription, items: Sequence[Item]) -> Sums:
    """As an invoice of these items will have them."""
    customer = session.get_one(Customer, subscription.customer_id)
    priced = [item for item in items if item.gross_minor]
    currency = subscription.currency
    drafted = [invoicing.line(item, customer.locale, currency, subscription.tax_rate) for item in priced]
    sums = totals.totals([line.computed for line in drafted], currency)
    lines = tuple(Line(line.description, amount) for line, amount in zip(drafted, sums.lines, strict=True))
    return Sums(lines, sums.subtotal_minor, sums.tax_minor, sums.total_minor)


def after_trial(session: Session, subscription: Subscription, in_trial: Terms, terms: Terms) -> NextInvoice | None:
    """That of the first paid period, which begins with these terms; None where there will be none."""
    offer = terms.offer
    goes_on = in_trial.offer.trial_end is TrialEnd.INVOICE
    by_itself = goes_on or queries.payment_method(session, subscription) is not None
    if subscription.cancel_at_period_end or subscription.paused_at is not None or not by_itself:
        return None
    anchor = Cycle(
        subscription.anchor_day, subscription.anchor_time, subscription.zone, offer.interval, offer.interval_count
    )
    days = Period(anchor.day(0), anchor.last_day(0))
    reduction = beginning.reduction(session, subscription, offer, 0)
    sums = of_items(session, subscription, pricing.items(terms, 0, days, reduction=reduction))
    # In arrears it is billed once it is over.
    return NextInvoice(anchor.day(0 if is_in_advance(terms) else 1), sums)


def after(session: Session, subscription: Subscription, present: Present, terms: Terms) -> NextInvoice | None:
    """That of the period after the present one, which begins with these terms; None where there will be none."""
    number, first_day = present.period.number + 1, present.period.last_day + _ONE_DAY
    items: list[Item] = []
    uses = False
    if not present.period.paused:
        items, uses = beginning.items_in_arrears(session, subscription, present.period, present.stretches)
    ends_after = present.terms.offer.ends_after
    is_over = subscription.cancel_at_period_end or (ends_after is not None and number >= ends_after)
    if is_over or subscription.paused_at is not None:
        return NextInvoice(first_day, of_items(session, subscription, items)) if items else None
    last_day = present.anchor.last_day(present.place + 1)
    if not same_interval(present.terms, terms):
        offer = terms.offer
        moved = replace(present.anchor, anchor_day=first_day, interval=offer.interval, count=offer.interval_count)
        last_day = moved.last_day(0)
    used_since = present.promo_periods + uses
    items = _in_advance(session, subscription, terms, number, Period(first_day, last_day), used_since) + items
    return NextInvoice(first_day, of_items(session, subscription, items))


def _in_advance(
    session: Session, subscription: Subscription, terms: Terms, number: int, days: Period, used_since: int
) -> list[Item]:
    if not is_in_advance(terms):
        return []
    reduction = beginning.reduction(session, subscription, terms.offer, number, used_since=used_since)
    return pricing.items(terms, number, days, reduction=reduction)
