"""The analytics document, and bills of any meter, computed a second time, from raw events in a list, as slowly and
plainly as can be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from math import ceil


@dataclass(frozen=True)
class Call:
    at: datetime
    user: str
    seconds: Decimal | None


@dataclass(frozen=True)
class Agreed:
    """From this day on; whatever the plan, its terms. Without a code: on no plan."""

    since: date
    plan: str
    included: int
    price: Decimal


def usage(calls: Sequence[Call], start: datetime, end: datetime) -> dict[str, object]:
    """``end`` is given to the second."""
    inside = [call for call in calls if start <= call.at < end + timedelta(seconds=1)]
    known = {call.user for call in calls if call.at < end + timedelta(seconds=1)}
    average = sum((call.seconds or Decimal(0) for call in inside), Decimal(0)) / len(inside) if inside else Decimal(0)
    return {
        "total_users": len(known - {""}),
        "active_users": len({call.user for call in inside} - {""}),
        "total_api_calls": len(inside),
        "average_response_time": average.quantize(Decimal("0.01"), ROUND_HALF_UP),
    }


def billing(calls: Sequence[Call], agreed: Sequence[Agreed], start: datetime, end: datetime) -> dict[str, object]:
    """Day by day: who was on what; runs of days on the same terms are a segment."""
    days = [start.date() + timedelta(days=n) for n in range((end.date() - start.date()).days + 1)]
    inside = [call for call in calls if start <= call.at < end + timedelta(seconds=1)]
    runs: list[tuple[Agreed | None, list[date]]] = []
    for day in days:
        on = max((one for one in agreed if one.since <= day), key=lambda one: one.since, default=None)
        on = on if on and on.plan else None
        if runs and (runs[-1][0] and runs[-1][0].plan) == (on and on.plan):
            runs[-1][1].append(day)
        else:
            runs.append((on, [day]))
    included = overage = unpriced = 0
    total = Decimal(0)
    for on, run in runs:
        used = sum(call.at.date() in run for call in inside)
        allowed = ceil(Decimal(on.included * len(run)) / len(days)) if on else 0
        over = max(0, used - allowed)
        included, overage = included + allowed, overage + over
        if on is None:
            unpriced += used
        else:
            total += (over * on.price).quantize(Decimal("0.01"), ROUND_HALF_UP)
    last = runs[-1][0]
    facts: dict[str, object] = {
        "included_api_calls": included,
        "total_api_calls": len(inside),
        "overage_calls": overage,
        "price_per_call": last.price if last else None,
        "total_cost": total,
        "currency": "USD",
    }
    return facts | ({"unpriced_calls": unpriced} if unpriced else {})


@dataclass(frozen=True)
class Told:
    """One event of a meter; ``at`` in UTC."""

    at: datetime
    id: str
    user: str
    quantity: Decimal
    region: str = ""


def bucket(buckets: Mapping[str, Collection[str]], told: Told) -> str:
    """Of buckets with these regions, in the order in which they were made, the one with the fewest of those that have
    the event's; empty where none has.
    """
    fitting = [code for code, regions in buckets.items() if told.region in regions]
    return min(fitting, key=lambda code: len(buckets[code]), default="")


def quantity(kind: str, told: Sequence[Told], stretch: tuple[datetime, datetime], whole: tuple[datetime, datetime]):
    """What events of a meter of this kind come to in a stretch of a whole period, both from the one instant until
    before the other.
    """
    start, end = stretch
    in_order = sorted(told, key=lambda one: (one.at, one.id))
    inside = [one for one in in_order if start <= one.at < end]
    before = [one for one in in_order if one.at < end]
    if kind == "count":
        return Decimal(len(inside))
    if kind == "sum":
        return sum((one.quantity for one in inside), Decimal(0))
    if kind == "max":
        return max((one.quantity for one in inside), default=Decimal(0))
    if kind == "latest":
        return before[-1].quantity if before else Decimal(0)
    if kind == "unique":
        of_period = [one for one in in_order if whole[0] <= one.at < whole[1]]
        return Decimal(sum(one.user != "" and one.user not in users(of_period, one) for one in inside))
    held = Decimal(0)
    for place, one in enumerate(before):
        until = before[place + 1].at if place + 1 < len(before) else end
        held += one.quantity * microseconds(max(until, start) - max(one.at, start))
    return (held / microseconds(whole[1] - whole[0])).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def users(told: Sequence[Told], until: Told) -> set[str]:
    """Whom the events before this one name."""
    return {one.user for one in told[: told.index(until)]}


def microseconds(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def amount(kind: str, used: Decimal, price: Decimal, included: Decimal, days: int, of_days: int) -> Decimal:
    """Of part of a period what stands, instead of adding up, costs its part by the days; of what adds up, that part is
    included, rounded up to whole users, or to the digits of a quantity.
    """
    if kind in ("max", "latest"):
        return (max(used - included, Decimal(0)) * price * days / of_days).quantize(Decimal("0.01"), ROUND_HALF_UP)
    step = Decimal(1) if kind == "unique" else Decimal("0.000001")
    allowed = min(ceil(included / step * days / of_days) * step, included)
    return (max(used - allowed, Decimal(0)) * price).quantize(Decimal("0.01"), ROUND_HALF_UP)
