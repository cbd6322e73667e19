"""What a history of ``tests/usage/test_bills_naive.py`` gives back, beside a naive computation of what may be."""

from collections import Counter, defaultdict
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
    .where(LateItem.kind == LateKind.ARRIVED, UsageSettlement.outcome == Outcome.WAIVED)
)


@dataclass(frozen=True)
class Place:
    """A meter (by its kind) on the days of a segment of a billed period, both ends included."""

    period_id: int
    kind: str
    first_day: date
    last_day: date


@contextmanager
def watched(history):
    """Whatever is settled meanwhile leaves each place asked for at least what its events cost without those that were
    waived, counting on what is still open, or gives nothing of it back. Whether something was waived before.
    """
    if history.session.scalar(WAIVED.limit(1)) is None:
        yield False
        return
    asked, were_open = _asked(history), _open(history)
    yield True
    asked_now, are_open = _asked(history), _open(history)
    for place in asked:
        settled = [item for item in were_open[place] if item not in are_open[place]]
        arrived = sum(max(item.minor, 0) for item in settled)
        if asked_now[place] < asked[place] + arrived:
            pending = sum(item.minor for item in are_open[place] if not item.is_unpaid)
            assert asked_now[place] + pending >= _least(history, place)


@dataclass(frozen=True)
class Open:
    """What an open late item is worth, in cents. ``is_unpaid``: it takes something off that was waived. What makes the
    line more, since a lower level went again, is still to be asked for.
    """

    id: int
    minor: int
    is_unpaid: bool


def _asked(history):
    """In cents; a credit that was waived counts as given."""
    statement = (
        select(UsageLine, Meter.code)
        .join(Meter, Meter.id == UsageLine.meter_id)
        .outerjoin(UsageSettlement, UsageSettlement.id == UsageLine.settlement_id)
        .outerjoin(Invoice, Invoice.id == UsageSettlement.invoice_id)
        .where(
            or_(UsageSettlement.id.is_(None), UsageSettlement.outcome != Outcome.WAIVED, UsageLine.amount_minor < 0),
            or_(Invoice.id.is_(None), ~is_gone(Invoice)),
        )
    )
    asked = Counter()
    for line, code in history.session.execute(statement):
        kind = "count" if code == "api_calls" else code
        asked[Place(line.period_id, kind, line.first_day, line.last_day)] += line.amount_minor
    return asked


def _open(history):
    """By place."""
    waived = set(history.session.scalars(WAIVED))
    found = late.items(history.session, SYSTEM, open_only=True, limit=1_000)
    minors = {one.id: one.worth.minor for one in found}
    statement = (
        select(LateItem, Meter.code, UsageLine.first_day, UsageLine.last_day)
        .join(Meter, Meter.id == LateItem.meter_id)
        .join(
            UsageLine,
            (UsageLine.period_id == LateItem.period_id)
            & (UsageLine.meter_id == LateItem.meter_id)
            & LateItem.day.between(UsageLine.first_day, UsageLine.last_day)
            & UsageLine.settlement_id.is_(None),
        )
        .where(LateItem.id.in_(minors))
    )
    of_places = defaultdict(set)
    for item, code, first_day, last_day in history.session.execute(statement):
        is_unpaid = minors[item.id] < 0 and item.kind is LateKind.WITHDRAWN and item.event_id in waived
        place = Place(item.period_id, "count" if code == "api_calls" else code, first_day, last_day)
        of_places[place].add(Open(item.id, minors[item.id], is_unpaid))
    return of_places


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
