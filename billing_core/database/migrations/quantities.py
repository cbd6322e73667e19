"""What meters came to that are billed from their events, as it was when late items began to say what each changed."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_AT: Final = attrgetter("at")
_MICROSECOND: Final = timedelta(microseconds=1)
_ONE: Final = 10**6


class Event(NamedTuple):
    """One use, in order by the first two. ``quantity`` is in millionths; ``value`` is what a meter of unique values
    counts it by, None where that is not told.
    """

    at: datetime
    id: str
    quantity: int
    value: str | None
    user: str


def start_of_day(zone: str, day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def came_to(aggregation: str, events: Sequence[Event], bounds: Sequence[datetime]) -> list[int]:
    """Of each segment of a period, in millionths, by these events, which are in order; what holds on can have happened
    before. ``bounds`` are the beginnings of the segments, and the end of the last.
    """
    places = [bisect_left(events, bound, key=_AT) for bound in bounds]
    if aggregation == "latest":
        return [_last(events, end) for end in places[1:]]
    segments = [events[start:end] for start, end in pairwise(places)]
    match aggregation:
        case "max":
            return [max((event.quantity for event in inside), default=0) for inside in segments]
        case "unique":
            seen: set[str | None] = {None}
            found = []
            for inside in segments:
                found.append(_ONE * len({event.value for event in inside} - seen))
                seen.update(event.value for event in inside)
            return found
        case _:
            held = [_last(events, start) for start in places[:-1]]
            length = (bounds[-1] - bounds[0]) // _MICROSECOND
            return [_weighted(*of_one, length) for of_one in zip(pairwise(bounds), held, segments, strict=True)]


def _last(events: Sequence[Event], end: int) -> int:
    return events[end - 1].quantity if end else 0


def _weighted(span: tuple[datetime, datetime], held: int, inside: Sequence[Event], length: int) -> int:
    """Quantities times the microseconds for which they held, over the period's; half is rounded away from zero."""
    start, end = span
    levels = [(start, held), *((event.at, event.quantity) for event in inside), (end, 0)]
    total = sum(quantity * ((until - at) // _MICROSECOND) for (at, quantity), (until, _) in pairwise(levels))
    return (2 * total + length) // (2 * length)
