"""What a history of ``tests/usage/test_bills_naive.py`` gives back, beside a naive computation of what may be."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from sqlalchemy import func, or_, select

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.metering.models import LateItem, LateKind, Meter, UsagePeriod
from billing_core.metering.periods import is_gone
from billing_core.usage import late
from billing_core.usage.late import ItemState
from billing_core.usage.models import Outcome, UsageLine, UsageSettlement
from tests.usage import naive
from tests.usage.naive import Call

WAIVED = (
    select(LateItem.event_id)
    .join(UsageSettlement, UsageSettlement.id == LateItem.settlement_id)
    .where(UsageSettlement.outcome == Outcome.WAIVED)
)


@dataclass(frozen=True)
class Place:
    """A meter (by its kind) on the days of a segment of a billed period, both ends included."""

    period_id: int
    kind: str
    first_day: date
    last_day: date


@dataclass(frozen=True)
class Late:
    """A late item of a place, and what it is worth, in cents. ``kept`` of that is neither given back nor asked for:
    where it was withdrawn of what was waived and makes the place less, and where it makes it more what its event had
    made it less, unless that was credited.
    """

    id: int
    place: Place
    event_id: str
    kind: LateKind
    minor: int
    state: ItemState
    settlement_id: int | None
    kept: int = 0


@contextmanager
def watched(history):
    """Whatever is settled meanwhile leaves each place asked for at least what its events cost without those that were
    waived, or gives nothing of it back, and at most that and what was not credited since it was waived, or asks for
    nothing that was withdrawn; counting on what is still open. Whether something was waived before.
    """
    if history.session.scalar(WAIVED.limit(1)) is None:
        yield False
        return
    asked, were_open = _asked(history), {one.id for one in _late(history) if one.state is ItemState.OPEN}
    yield True
    asked_now, late_now = _asked(history), _late(history)
    for place in asked:
        of_place = [one for one in late_now if one.place == place]
        still_open = [one for one in of_place if one.state is ItemState.OPEN]
        settled = [one for one in of_place if one.id in were_open and one not in still_open]
        asked_more = any(
            one.kind is LateKind.WITHDRAWN and one.minor > 0 and one.state is not ItemState.WAIVED for one in settled
        )
        arrived = sum(max(one.minor, 0) for one in settled if one.kind is LateKind.ARRIVED)
        given_back = asked_now[place] < asked[place] + arrived
        if not asked_more and not given_back:
            continue
        least = _least(history, place)
        fair = asked_now[place] - _not_credited(history, of_place)
        if given_back:
            assert fair + sum(one.minor - one.kept for one in still_open) >= least
        if asked_more:
            assert fair + sum(one.minor - max(one.kept, 0) for one in still_open) <= least


def _asked(history):
    """In cents, less what was credited."""
    statement = (
        select(UsageLine, Meter.code)
        .join(Meter, Meter.id == UsageLine.meter_id)
        .outerjoin(UsageSettlement, UsageSettlement.id == UsageLine.settlement_id)
        .outerjoin(Invoice, Invoice.id == UsageSettlement.invoice_id)
        .where(
            or_(UsageSettlement.id.is_(None), UsageSettlement.outcome != Outcome.WAIVED),
            or_(Invoice.id.is_(None), ~is_gone(Invoice)),
        )
    )
    asked = Counter()
    for line, code in history.session.execute(statement):
        asked[_place(line.period_id, code, line)] += line.amount_minor
    return asked


def _place(period_id, code, line):
    return Place(period_id, "count" if code == "api_calls" else code, line.first_day, line.last_day)


def _late(history):
    """All that came late for what was billed, in the order in which it came."""
    waived = set(history.session.scalars(WAIVED.where(LateItem.kind == LateKind.ARRIVED)))
    found = {one.id: one for one in late.items(history.session, SYSTEM, limit=1_000)}
    statement = (
        select(LateItem, Meter.code, UsageLine)
        .join(Meter, Meter.id == LateItem.meter_id)
        .join(
            UsageLine,
            (UsageLine.period_id == LateItem.period_id)
            & (UsageLine.meter_id == LateItem.meter_id)
            & LateItem.day.between(UsageLine.first_day, UsageLine.last_day)
            & UsageLine.settlement_id.is_(None),
        )
        .where(LateItem.id.in_(found))
        .order_by(LateItem.id)
    )
    not_credited = Counter()
    of_places = []
    for item, code, line in history.session.execute(statement):
        place, minor, state = _place(item.period_id, code, line), found[item.id].worth.minor, found[item.id].state
        kept = 0
        if item.kind is LateKind.WITHDRAWN:
            less = minor if item.event_id in waived else 0
            kept = min(minor, not_credited[place, item.event_id]) if minor > 0 else less
        elif state is ItemState.WAIVED:
            not_credited[place, item.event_id] += max(0, -minor)
        of_places.append(Late(item.id, place, item.event_id, item.kind, minor, state, item.settlement_id, kept))
    return of_places


def _not_credited(history, of_place):
    """What was to be credited of a place, in cents, and was waived: for events that still count, and for those that do
    not, of which nothing can come any more.
    """
    waived = [one for one in of_place if one.state is ItemState.WAIVED]
    arrived = [one for one in waived if one.kind is LateKind.ARRIVED]
    left = Counter()
    for one in arrived:
        left[one.settlement_id] -= one.minor
    for one in {(one.settlement_id, one.place) for one in waived}:
        left[one[0]] += _on_lines(history, *one)
    counted = history.counted[of_place[0].place.kind]
    standing = sum(one.minor for one in arrived if one.event_id in counted)
    return max(0, -standing) + sum(max(0, -minor) for minor in left.values())


def _on_lines(history, settlement_id, place):
    """What the settlement's lines for the place come to, in cents."""
    code = "api_calls" if place.kind == "count" else place.kind
    amounts = (
        select(func.coalesce(func.sum(UsageLine.amount_minor), 0))
        .join(Meter, Meter.id == UsageLine.meter_id)
        .where(UsageLine.settlement_id == settlement_id, Meter.code == code, UsageLine.first_day == place.first_day)
    )
    return int(history.session.scalar(amounts))


def kept(session, standing, gone, items):
    """What these items would have taken off the standing periods and did not, in cents, but for those that are waived
    as a whole.
    """
    states = {ItemState.INVOICED, ItemState.CREDITED, ItemState.NOTHING}
    of_lines = (
        select(func.coalesce(func.sum(UsageLine.amount_minor), 0))
        .join(UsageSettlement, UsageSettlement.id == UsageLine.settlement_id)
        .where(
            UsageLine.period_id.in_([period.id for period in standing]),
            UsageSettlement.outcome != Outcome.WAIVED,
            or_(UsageSettlement.invoice_id.is_(None), UsageSettlement.invoice_id.not_in(gone)),
        )
    )
    return int(session.scalar(of_lines)) - sum(one.worth.minor for one in items if one.state in states)


def _least(history, place):
    """What the events that count and were not waived cost, in cents, and never more than with those."""
    period = history.session.get_one(UsagePeriod, place.period_id)
    days = Period(period.first_day, period.last_day)
    code = "api_calls" if place.kind == "count" else place.kind
    waived = [
        item
        for item in history.session.scalars(
            select(LateItem)
            .join(UsageSettlement, UsageSettlement.id == LateItem.settlement_id)
            .join(Meter, Meter.id == LateItem.meter_id)
            .where(
                Meter.code == code,
                LateItem.kind == LateKind.ARRIVED,
                LateItem.day.between(place.first_day, place.last_day),
                UsageSettlement.outcome == Outcome.WAIVED,
            )
        )
        if item.event_id in history.counted[place.kind]
    ]
    if place.kind == "count":
        names = {item.event_id for item in waived}
        return min(_calls(history, place, days, set()), _calls(history, place, days, names))
    plan = max((one for one in history.agreed if one.since <= place.first_day), key=lambda one: one.since).plan
    whole = history.bounds(days.start, days.end)
    stretch = history.bounds(place.first_day, place.last_day)
    used = naive.quantity(place.kind, list(history.counted[place.kind].values()), stretch, whole)
    off = sum((item.quantity for item in waived), Decimal(0))
    length = (place.last_day - place.first_day).days + 1
    terms = (*history.prices(plan), length, days.days)
    return int(min(naive.amount(place.kind, one, *terms) for one in (used, used - off)) * 100)


def _calls(history, place, days, without):
    begun, ended = history.bounds(place.first_day, place.last_day)
    calls = [
        Call(one.at.astimezone(history.zone).replace(tzinfo=None), "", None)
        for name, one in history.counted["count"].items()
        if begun <= one.at < ended and name not in without
    ]
    start, end = datetime.combine(days.start, time()), datetime.combine(days.end, time(23, 59, 59))
    return int(naive.billing(calls, history.agreed, start, end)["total_cost"] * 100)
