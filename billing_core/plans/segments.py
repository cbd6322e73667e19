"""A period of usage cut where the plan changes: each segment with its own allowance and price, nothing pooled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest

from billing_core.dates import Period
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.queries import OnPlan, Version

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Segment:
    """Days on one version, or on none; both ends included. ``included_calls`` is its share of the version's."""

    first_day: date
    last_day: date
    version: Version | None
    included_calls: int

    @property
    def days(self) -> Period:
        return Period(self.first_day, self.last_day)

    @property
    def length(self) -> int:
        """In days."""
        return (self.last_day - self.first_day).days + 1


def split(period: Period, on_plan: Sequence[OnPlan]) -> tuple[Segment, ...]:
    """The whole period in segments. ``on_plan``: what ``plans.queries.on_plan`` says of it."""
    return _split(period, tuple(on_plan))


# Most customers are on the same versions on the same days.
@lru_cache(maxsize=1_024)
def _split(period: Period, on_plan: tuple[OnPlan, ...]) -> tuple[Segment, ...]:
    return tuple(
        Segment(first, last, version, _share(version, (last - first).days + 1, period.days))
        for first, last, version in _stretches(period, on_plan)
    )


# Versions are few, and never change.
@lru_cache(maxsize=1_024)
def price_of_calls(version: Version) -> Price:
    """What an API call that is in no bucket costs by this version."""
    tier = Tier(None, version.price_per_call)
    return Price(version.currency, Scheme.PER_UNIT, (tier,), included=Decimal(version.included_calls))


def _share(version: Version | None, days: int, of_days: int) -> int:
    """Rounded up to whole calls."""
    return 0 if version is None else -(-version.included_calls * days // of_days)


def _stretches(period: Period, on_plan: Sequence[OnPlan]) -> Iterator[tuple[date, date, Version | None]]:
    """Days of the same version in a row are one stretch, however often the customer was put on it."""
    begun, version = period.start, None
    for first_day, following in _changes(on_plan):
        if following == version or first_day > period.end:
            continue
        if first_day > begun:
            yield begun, first_day - _ONE_DAY, version
        begun, version = first_day, following
    yield begun, period.end, version


def _changes(on_plan: Sequence[OnPlan]) -> Iterator[tuple[date, Version | None]]:
    """From which days on another version counts, or none."""
    for part, next_part in zip_longest(on_plan, on_plan[1:]):
        yield part.first_day, part.version
        after = part.last_day + _ONE_DAY
        if next_part is None or next_part.first_day > after:
            yield after, None
