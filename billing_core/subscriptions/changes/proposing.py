"""What a change of a subscription comes to: what is charged and credited now, and what the next invoice will be.

The one computation of it, for the preview and for the change itself: its token names everything that it shows.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor, Permission
from billing_core.payments import credit
from billing_core.subscriptions import beginning, metered, pricing, queries
from billing_core.subscriptions.calendar import Cycle, local
from billing_core.subscriptions.changes import coming, unused
from billing_core.subscriptions.changes import wanted as asking
from billing_core.subscriptions.changes.coming import Line, NextInvoice, Present, Sums
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.lifecycle import CANCELED, TRIALING
from billing_core.subscriptions.models import ChargeKind, Subscription, SubscriptionChange, SubscriptionPeriod
from billing_core.subscriptions.pricing import Item, Terms

_ONE_DAY = timedelta(days=1)
NOTHING = Sums((), 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Begun:
    """A period of another length that the change begins, with the number ``number``: its anchor."""

    number: int
    anchor: Cycle
    in_place: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """Amounts in minor units of ``currency``. ``day`` is the first of the new terms; None: the day on which the next
    period begins, which is the ``first_day`` as things stand; None where the subscription ends before.
    ``credited_minor`` is credited of invoices, tax included, and ``credit_used_minor`` pays of the total from the
    customer's credit, with what that becomes of it. ``number``: the period in which it is billed, and ``promo_periods``
    of the promo code are used by it. ``asked_before``: the change that was asked for last before.
    """

    subscription: str
    version: int
    currency: str
    when: When
    day: date | None
    facts: Mapping[str, Any]
    after: Terms
    number: int
    items: tuple[Item, ...] = ()
    credits: tuple[Credit, ...] = ()
    sums: Sums = NOTHING
    lines: tuple[Line, ...] = ()
    credit_used_minor: int = 0
    next_invoice: NextInvoice | None = None
    begun: Begun | None = None
    promo_periods: int = 0
    is_trial: bool = False
    scheduled: tuple[int, ...] = ()
    asked_before: int | None = None
    first_day: date | None = None

    @property
    def credited_minor(self) -> int:
        return sum(one.gross_minor for one in self.credits)

    @property
    def to_pay_minor(self) -> int:
        return self.sums.total_minor - self.credit_used_minor

    @property
    def token(self) -> str:
        """Names all of this: a subscription that has changed, another day or another amount has another one. So has
        what was withdrawn or declined, once it is asked for again.
        """
        sums, following = self.sums, self.next_invoice
        told = {
            "subscription": [self.subscription, self.version, self.currency, self.when, str(self.day)],
            "wanted": dict(self.facts),
            "lines": [_told(line) for line in self.lines],
            "amounts": [sums.subtotal_minor, sums.tax_minor, sums.total_minor, self.credit_used_minor],
            "credits": [[one.charge_id, one.net_minor, one.tax_minor] for one in self.credits],
            "next": following and [str(following.day), *(_told(line) for line in following.sums.lines)],
            "next_total": following and following.sums.total_minor,
            "scheduled": self.scheduled,
            "asked_before": self.asked_before,
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def propose(session: Session, actor: Actor, subscription: Subscription, wanted: Wanted, *, now: datetime) -> Proposal:
    """What the change comes to at this instant; nothing is changed.

    Invalid where the terms do not go together or nothing would change; Conflict where the subscription cannot be
    changed now.
    """
    actor.require(Permission.SUBSCRIPTION_WRITE)
    refuse_unready(session, subscription, now)
    before = queries.terms(session, subscription)
    facts = asking.facts(session, actor, wanted, before)
    after = asking.merged(session, before, [facts])
    waiting = queries.scheduled(session, subscription.id)
    if asking.is_to_other_plan(facts):
        waiting = [one for one in waiting if one.move_id is None]
    asking.refuse_against_moves(session, after, waiting)
    coming_next = asking.beginning_on(_next_day(session, subscription), waiting)
    planned = asking.merged(session, before, [one.wanted for one in coming_next])
    number = subscription.period_number or 0
    is_trial = subscription.state is TRIALING
    when = When.NOW if is_trial else wanted.when or asking.by_money(before, after, number)
    if when is When.PERIOD_END:
        facts = asking.returning(facts, wanted, before, waiting)
    then = [SubscriptionChange(wanted=facts)] if when is When.PERIOD_END else []
    later = [one.wanted for one in asking.beginning_on(_next_day(session, subscription), [*waiting, *then])]
    _refuse_nothing(before, after, planned, asking.merged(session, before, later), when)
    _refuse_usage(session, subscription, before, after, now)
    bare = Proposal(
        subscription.public_id,
        subscription.version,
        subscription.currency,
        when,
        None,
        facts,
        after,
        number,
        is_trial=is_trial,
        scheduled=tuple(one.id for one in waiting),
        asked_before=asking.newest(session, subscription.id),
    )
    if is_trial:
        made = replace(bare, day=local(now, subscription.zone)[0])
    elif when is When.PERIOD_END:
        made = replace(bare, number=number + 1)
    else:
        made = _now(session, subscription, bare, before, now)
    in_future = asking.merged(session, after if when is When.NOW else before, later)
    return replace(
        made,
        first_day=made.day or _next_first_day(session, subscription, before),
        next_invoice=_next(session, subscription, made, before, in_future),
    )


def _next_day(session: Session, subscription: Subscription) -> date:
    """The first day of the period that comes next."""
    begun = queries.period(session, subscription)
    return subscription.anchor_day if begun is None else begun.last_day + _ONE_DAY


def _next_first_day(session: Session, subscription: Subscription, before: Terms) -> date | None:
    """None where there is no period after the present one."""
    ends_after = before.offer.ends_after
    is_last = ends_after is not None and (subscription.period_number or 0) + 1 >= ends_after
    over = subscription.next_at is None or subscription.cancel_at_period_end or is_last
    return None if over else _next_day(session, subscription)


def refuse_unready(session: Session, subscription: Subscription, now: datetime) -> None:
    """Conflict where it is over, or something else is to happen to it first."""
    named = f"The subscription {subscription.public_id}"
    if subscription.state is CANCELED:
        raise Conflict(f"{named} is canceled")
    if queries.is_charging(session, subscription.id):
        raise Conflict(f"What a change of {named[:1].lower()}{named[1:]} costs is being charged: try again in a moment")
    if subscription.next_at is not None and subscription.next_at <= now:
        raise Conflict(f"{named} has come to the end of its period, which is not billed yet: try again in a moment")


def _now(session: Session, subscription: Subscription, bare: Proposal, before: Terms, now: datetime) -> Proposal:
    begun = queries.period(session, subscription)
    assert begun is not None  # noqa: S101  # only a trial comes before the first
    day = max(local(now, subscription.zone)[0], begun.first_day)
    if asking.same_interval(before, bare.after):
        made = _inside(session, subscription, replace(bare, day=day), before, begun)
    else:
        made = _from_now(session, subscription, replace(bare, day=day), begun, now)
    return _with_amounts(session, subscription, made)


def _inside(
    session: Session, subscription: Subscription, bare: Proposal, before: Terms, begun: SubscriptionPeriod
) -> Proposal:
    """The rest of the period by the new terms. What costs as much as before is left alone, and of more at the same
    price the difference is charged.
    """
    day, whole = bare.day, Period(begun.first_day, begun.last_day)
    if begun.paused or day is None or day > whole.end:
        return bare
    _refuse_gap(session, subscription, bare.after, begun, day)
    rest = Period(day, whole.end)
    present = {(one.kind, one.code): one for one in _of_rest(session, subscription, before, begun, rest)[0]}
    following, uses_period = _of_rest(session, subscription, bare.after, begun, rest)
    items, kept = [], set()
    for item in following:
        key = (item.kind, item.code)
        held = present.get(key)
        if held is not None and _as_before(held, item):
            kept.add(key)
            if more := item.quantity - held.quantity:
                items.append(pricing.of_quantity(item, more))
        else:
            items.append(item)
    credited = unused.of_period(session, subscription, begun.number, day, but_for=kept)
    return replace(bare, items=tuple(items), credits=tuple(credited), promo_periods=int(uses_period))


def _from_now(
    session: Session, subscription: Subscription, bare: Proposal, begun: SubscriptionPeriod, now: datetime
) -> Proposal:
    """A period of another length, from now on, at its whole price; from the beginning of the present one where that is
    today's.
    """
    after, day = bare.after, bare.day
    assert day is not None  # noqa: S101  # it is now
    of_present = beginning.stretches(session, subscription, begun)
    if after.offer.has_usage or beginning.used_days(of_present) is not None:
        reason = f"must be {When.PERIOD_END}: usage is billed by whole periods"
        raise Invalid(f"The period can have another length from its end on: when {reason}", fields={"when": reason})
    in_place = day == begun.first_day
    starts_at = begun.starts_at if in_place else now
    number = begun.number if in_place else begun.number + 1
    anchor = Cycle(
        day, local(starts_at, subscription.zone)[1], subscription.zone, after.offer.interval, after.offer.interval_count
    )
    credited = unused.of_period(session, subscription, begun.number, day)
    arrears: list[Item] = []
    promo_periods = 0
    if not in_place and not begun.paused and day > begun.first_day:
        used = Period(begun.first_day, min(begun.last_day, day - _ONE_DAY))
        stretches = beginning.stretches(session, subscription, begun, used)
        arrears, uses = beginning.items_in_arrears(session, subscription, begun, stretches)
        promo_periods += uses
    items: list[Item] = []
    if asking.is_in_advance(after) and subscription.paused_at is None and not (in_place and begun.paused):
        if in_place:
            reduction = beginning.reduction_inside(session, subscription, after.offer, begun, day)
        else:
            reduction = beginning.reduction(session, subscription, after.offer, number, used_since=promo_periods)
            promo_periods += reduction.uses_period
        items = pricing.items(after, number, Period(day, anchor.last_day(0)), reduction=reduction)
    return replace(
        bare,
        number=number,
        items=(*items, *arrears),
        credits=tuple(credited),
        begun=Begun(number, anchor, in_place),
        promo_periods=promo_periods,
    )


def _of_rest(
    session: Session, subscription: Subscription, terms: Terms, begun: SubscriptionPeriod, rest: Period
) -> tuple[Sequence[Item], bool]:
    """What is due in advance for these days of the present period; whether that uses up a period of the code."""
    if not asking.is_in_advance(terms):
        return (), False
    reduction = beginning.reduction_inside(session, subscription, terms.offer, begun, rest.start)
    whole = Period(begun.first_day, begun.last_day)
    return pricing.items(terms, begun.number, whole, days=rest, reduction=reduction), reduction.uses_period


def _as_before(held: Item, item: Item) -> bool:
    """Whether it costs as much as before, or there is more of it at the same price."""
    if item.kind is ChargeKind.PLAN:
        return (held.unit_minor, held.net_minor) == (item.unit_minor, item.net_minor)
    return held.unit_minor == item.unit_minor and item.quantity >= held.quantity


def _with_amounts(session: Session, subscription: Subscription, made: Proposal) -> Proposal:
    """As the invoice will have them."""
    sums = coming.of_items(session, subscription, made.items)
    language = session.get_one(Customer, subscription.customer_id).locale
    credited = [Line(unused.words(one, language), -one.net_minor) for one in made.credits]
    balance = credit.balance(session, subscription.business_id, subscription.customer_id, subscription.currency).minor
    usable = max(balance + unused.kept_minor(session, made.credits), 0)
    return replace(made, sums=sums, lines=(*sums.lines, *credited), credit_used_minor=min(usable, sums.total_minor))


def _next(
    session: Session, subscription: Subscription, made: Proposal, before: Terms, in_future: Terms
) -> NextInvoice | None:
    if made.is_trial:
        return coming.after_trial(session, subscription, made.after, in_future)
    begun = queries.period(session, subscription)
    assert begun is not None  # noqa: S101  # only a trial comes before the first
    if made.begun is not None and made.day is not None:
        days = Period(made.day, made.begun.anchor.last_day(0))
        period = SubscriptionPeriod(
            subscription_id=subscription.id,
            number=made.begun.number,
            first_day=days.start,
            last_day=days.end,
            paused=subscription.paused_at is not None,
        )
        present = Present(period, [(made.after, days)], made.begun.anchor, 0, made.after, made.promo_periods)
        return coming.after(session, subscription, present, in_future)
    stretches = beginning.stretches(session, subscription, begun)
    if made.when is When.NOW and made.day is not None and made.day <= begun.last_day:
        stretches = [
            *(
                (terms, Period(days.start, min(days.end, made.day - _ONE_DAY)))
                for terms, days in stretches
                if days.start < made.day
            ),
            (made.after, Period(made.day, begun.last_day)),
        ]
    present_terms = made.after if made.when is When.NOW else before
    place = begun.number - subscription.anchor_number
    anchor = beginning.cycle(subscription, before.offer)
    return coming.after(session, subscription, Present(begun, stretches, anchor, place, present_terms), in_future)


def _refuse_nothing(before: Terms, after: Terms, planned: Terms, then: Terms, when: When) -> None:
    same = after == before if when is When.NOW else then == planned
    if same:
        raise Invalid("Nothing would change", fields={"plan_id": "is the present one, with the same seats and add-ons"})


def _refuse_usage(session: Session, subscription: Subscription, before: Terms, after: Terms, now: datetime) -> None:
    """Conflict where another subscription of the customer bills its usage."""
    if after.offer.has_usage and after.offer.version_id != before.offer.version_id:
        metered.refuse_other(session, subscription, local(now, subscription.zone)[0])


def _refuse_gap(
    session: Session, subscription: Subscription, after: Terms, begun: SubscriptionPeriod, day: date
) -> None:
    """Invalid where the plan would have usage again after days of the period without: usage on those has no price, and
    the period is billed as a whole.
    """
    if not after.offer.has_usage or day == begun.first_day:
        return
    earlier = beginning.stretches(session, subscription, begun, Period(begun.first_day, day - _ONE_DAY))
    if beginning.used_days(earlier) is not None and not earlier[-1][0].offer.has_usage:
        reason = f"must be {When.PERIOD_END}: the plan had usage earlier in the period, and has none now"
        raise Invalid(f"The plan can have usage again from the period's end on: when {reason}", fields={"when": reason})


def _told(line: Line) -> list[str | int]:
    return [line.description, line.amount_minor]
