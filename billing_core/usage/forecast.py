"""What a month's calls will come to, from the days before, and how far such forecasts were off in past months.

Each day that is still to come is expected to be like the same weekday in the last four weeks: the mean of them. Where
fewer than seven whole days are known, it is the mean of those. What the month already has is added.

The same is done for the past months, each from as many of its days as the present one has had. Between the worst that
such forecasts missed by, too low and too high, lies the range: it was right in all of these months.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Final

from billing_core.dates import Period, add_months, first_of_month
from billing_core.money import nearest

_ONE_DAY: Final = timedelta(days=1)
WEEKS: Final = 4
PAST_MONTHS: Final = 6
# From fewer months no range is told.
FEWEST_MONTHS: Final = 3
# Means are of one to six days, or of one to four of a weekday: all of them are whole sixtieths, which are added up
# many times as fast as fractions.
_PARTS: Final = 60


@dataclass(frozen=True, slots=True)
class Forecast:
    """Calls in the whole month. ``low`` and ``high`` would have held in each of ``months`` past months; they are None
    where fewer than ``FEWEST_MONTHS`` could be tried.
    """

    calls: int
    low: int | None
    high: int | None
    months: int


def first_needed(month: Period) -> date:
    """The first day whose calls a forecast of the month, and its range, look at."""
    return add_months(month.start, -PAST_MONTHS) - timedelta(weeks=WEEKS)


def forecast(calls: Mapping[date, int], month: Period, *, today: date) -> Forecast | None:
    """``calls`` by day, from ``first_needed`` to today; a day without calls may be missing. None where nothing is known
    before today. Today itself is not over: of it counts what is expected, or what there is where that is more.
    """
    first = _first(calls)
    usual = _usual(calls, first, today)
    if usual is None:
        return None
    total = Fraction(sum(_parts(calls, usual, month, today, later=calls)), _PARTS)
    missed = list(_missed(calls, first, month, today))
    whole = _rounded(total)
    if len(missed) < FEWEST_MONTHS:
        return Forecast(whole, None, None, len(missed))
    so_far = sum(count for day, count in calls.items() if month.start <= day <= min(today, month.end))
    low, high = max(so_far, floor(total * min(missed))), max(so_far, ceil(total * max(missed)))
    return Forecast(whole, min(low, whole), max(high, whole), len(missed))


def by_day(calls: Mapping[date, int], month: Period, *, today: date) -> dict[date, Fraction] | None:
    """Each day of the month: what it had, and what those from today on are expected to have."""
    usual = _usual(calls, _first(calls), today)
    if usual is None:
        return None
    parts = _parts(calls, usual, month, today, later=calls)
    return {day: Fraction(number, _PARTS) for day, number in zip(month.each_day(), parts, strict=True)}


def exceeded_on(days: Mapping[date, Fraction | int], within: Period, included: Decimal) -> date | None:
    """The first of these days on which the calls since ``within`` began are more than what is included in it."""
    used: Fraction | int = 0
    for day in within.each_day():
        used += days.get(day, 0)
        if used > included:
            return day
    return None


def _first(calls: Mapping[date, int]) -> date | None:
    """The first day of which anything is known."""
    return min((day for day, count in calls.items() if count), default=None)


def _usual(calls: Mapping[date, int], first: date | None, today: date) -> Sequence[int] | None:
    """Calls on each weekday, from Monday on, as the days before today had them since the first; in sixtieths."""
    if first is None or first >= today:
        return None
    days = Period(max(first, today - timedelta(weeks=WEEKS)), today - _ONE_DAY)
    sums, numbers = [0] * 7, [0] * 7
    for day in days.each_day():
        weekday = day.weekday()
        sums[weekday] += calls.get(day, 0)
        numbers[weekday] += 1
    if days.days < 7:
        return [sum(sums) * (_PARTS // days.days)] * 7
    return [counted * (_PARTS // number) for counted, number in zip(sums, numbers, strict=True)]


def _parts(
    calls: Mapping[date, int], usual: Sequence[int], month: Period, today: date, *, later: Mapping[date, int]
) -> Iterator[int]:
    """What each day of the month had before today, and is expected to have from then on, at least what it has
    ``later``; in sixtieths.
    """
    for day in month.each_day():
        if day < today:
            yield calls.get(day, 0) * _PARTS
        else:
            yield max(later.get(day, 0) * _PARTS, usual[day.weekday()])


def _missed(calls: Mapping[date, int], first: date | None, month: Period, today: date) -> Iterator[Fraction]:
    """What each past month had, as a share of what would have been forecast on its day."""
    for back in range(1, PAST_MONTHS + 1):
        past = Period.month_of(add_months(month.start, -back))
        then = min(past.start + (today - first_of_month(today)), past.end)
        usual = _usual(calls, first, then)
        if usual is not None and (total := sum(_parts(calls, usual, past, then, later={}))):
            yield Fraction(sum(calls.get(day, 0) for day in past.each_day()) * _PARTS, total)


def _rounded(number: Fraction) -> int:
    return nearest(*number.as_integer_ratio())
