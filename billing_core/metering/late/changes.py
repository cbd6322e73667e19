"""By how much events change what a meter came to in the segments of a billed period: each by itself, in the order in
which they came. What was billed and all changes together are what the meter comes to with all of them, exactly.

The event's own segment is among the changes of each, also where nothing changes; the others are where something does.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from billing_core.metering.models import PLACES
from billing_core.metering.quantities.from_events import weighted
from billing_core.money import scaled

_MICROSECOND: Final = timedelta(microseconds=1)
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class News:
    """An event beside those that were known when it came. ``value``: what a meter of unique values counts it by.
    ``held``: the quantity that held when it happened; ``until``: when the next one that was known happened, None where
    there was none.
    """

    event_id: str
    at: datetime
    quantity: Decimal
    value: str | None
    held: Decimal
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """What one event changes in the segment with this place."""

    event_id: str
    segment: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of a period: ``bounds`` are their beginnings, and the end of the last."""

    bounds: Sequence[datetime]

    @property
    def count(self) -> int:
        return len(self.bounds) - 1

    def of(self, at: datetime) -> int:
        """The place of the one in which an instant lies; -1 before the period."""
        return bisect_right(self.bounds, at) - 1


def of_greatest(segments: Segments, news: Sequence[News], known: Mapping[int, Decimal]) -> Iterator[Change]:
    """``known``: the greatest quantity by the segment's place."""
    greatest = dict(known)
    for one in news:
        place = segments.of(one.at)
        before = greatest.get(place)
        greatest[place] = one.quantity if before is None else max(before, one.quantity)
        yield Change(one.event_id, place, greatest[place] - (before or _NOTHING))


def of_unique(segments: Segments, news: Sequence[News], known: Mapping[str, int]) -> Iterator[Change]:
    """``known``: the place of the segment in which a value comes first, and counts."""
    first = dict(known)
    for one in news:
        place = segments.of(one.at)
        if one.value is None or first.get(one.value, segments.count) <= place:
            yield Change(one.event_id, place, _NOTHING)
            continue
        yield Change(one.event_id, place, Decimal(1))
        if one.value in first:
            yield Change(one.event_id, first[one.value], Decimal(-1))
        first[one.value] = place


def of_latest(segments: Segments, news: Sequence[News]) -> Iterator[Change]:
    """What holds at the end of a segment is what it comes to."""
    for one in news:
        own = segments.of(one.at)
        for place, end in enumerate(segments.bounds[1:]):
            counts = one.at < end and (one.until is None or one.until >= end)
            changed = one.quantity - one.held if counts else _NOTHING
            if place == own or changed:
                yield Change(one.event_id, place, changed)


def of_weighted(segments: Segments, news: Sequence[News], known: Mapping[int, int]) -> Iterator[Change]:
    """``known``: what held in a segment, by its place, in millionths times microseconds."""
    held = {place: known.get(place, 0) for place in range(segments.count)}
    length = (segments.bounds[-1] - segments.bounds[0]) // _MICROSECOND
    for one in news:
        own = segments.of(one.at)
        more = scaled(one.quantity - one.held, PLACES)
        for place, (start, end) in enumerate(zip(segments.bounds, segments.bounds[1:], strict=False)):
            begun, ended = max(one.at, start), end if one.until is None else min(one.until, end)
            before = held[place]
            held[place] += more * max((ended - begun) // _MICROSECOND, 0)
            changed = weighted(held[place], length) - weighted(before, length)
            if place == own or changed:
                yield Change(one.event_id, place, changed)
