"""A date with or without a time of day, as people and programs write it: what it can mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final

from billing_core.imports.cells import Unreadable
from billing_core.imports.writing.day_names import may_precede, month_of

DAY_FIRST: Final = "day-first"
MONTH_FIRST: Final = "month-first"
YEAR_FIRST: Final = "year-first"
ORDERS: Final = (DAY_FIRST, MONTH_FIRST, YEAR_FIRST)
NO_DATE: Final = "is not a date such as “2025-03-31”"
NO_DAY: Final = "is not a day of the calendar"

# Years of two digits lie from 1969 to 2068, as most programs have it.
LAST_OF_2000S: Final = 68
_LONGEST: Final = 80
_ZONES: Final = {
    **dict.fromkeys(("z", "utc", "gmt", "wet"), 0),
    "edt": -4,
    "est": -5,
    "cdt": -5,
    "mdt": -6,
    "mst": -7,
    "pdt": -7,
    "pst": -8,
    **dict.fromkeys(("cet", "west"), 1),
    **dict.fromkeys(("cest", "eet", "sast"), 2),
    **dict.fromkeys(("eest", "msk"), 3),
    **dict.fromkeys(("hkt", "sgt", "awst"), 8),
    **dict.fromkeys(("jst", "kst"), 9),
    "aest": 10,
    "aedt": 11,
    "nzst": 12,
    "nzdt": 13,
}
# Those that are the time of several parts of the world, in hours, by what is said where one of them is meant.
SHARED_ZONES: Final[Mapping[str, Mapping[str, float]]] = {
    "cst": {"cst-america": -6, "cst-china": 8},
    "bst": {"bst-britain": 1, "bst-bangladesh": 6},
    "ist": {"ist-india": 5.5, "ist-israel": 2, "ist-ireland": 1},
    "ast": {"ast-atlantic": -4, "ast-arabia": 3},
}
_TIME: Final = (
    r"(?:(?:[Tt]|,?\s+(?:at\s+)?|,)(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?)"
    r"(?:\s*(?P<half>[AaPp])\.?\s?[Mm]\.?|\s*Uhr)?"
    r"(?:\s*(?P<zone>[+-][0-9]{2}(?::?[0-9]{2})?|[A-Za-z]{1,4}))?)?"
)
_WEEKDAY: Final = r"(?:(?P<before>[^\W\d_]+)\.?,?\s+)?"
_NAME: Final = r"(?P<name>[^\W\d_]+)\.?"
_YEAR: Final = r"(?P<year>[0-9]{4}|[0-9]{2})"
_NUMBERED: Final = re.compile(
    r"(?P<first>[0-9]{1,2})(?P<gap>[-/.])\s?(?P<second>[0-9]{1,2})(?P=gap)\s?(?P<third>[0-9]{4}|[0-9]{2})" + _TIME
)
_CERTAIN: Final = tuple(
    re.compile(pattern + _TIME)
    for pattern in (
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})",
        r"(?P<year>[0-9]{4})(?P<gap>[-/.])(?P<month>[0-9]{1,2})(?P=gap)(?P<day>[0-9]{1,2})",
        rf"{_WEEKDAY}(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th|er|\.|º)?[-/\s]*(?:de\s+)?{_NAME}[-/,\s]*(?:del?\s+)?{_YEAR}",
        rf"{_WEEKDAY}{_NAME}[-\s]*(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?(?:,\s*|[-\s]+){_YEAR}",
        rf"(?P<year>[0-9]{{4}})[-/\s]*{_NAME}[-/\s]*(?P<day>[0-9]{{1,2}})",
    )
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a cell can mean: its ``days`` by the order in which day, month and year stand, one under no order where all
    mean the same. ``gap`` stands between its parts. ``offsets``: what it says of its zone: nothing, one under no name,
    or what a name that several zones share may be, as in ``SHARED_ZONES``. ``short``: the year has two digits.
    """

    days: Mapping[str, date]
    gap: str
    time: time | None
    offsets: Mapping[str, timedelta]
    short: bool


def moment(text: str) -> Moment:
    """Unreadable where the text is no date, or no day of the calendar in any order."""
    if len(text) > _LONGEST:
        raise Unreadable(NO_DATE)
    if match := _NUMBERED.fullmatch(text):
        first, second, third = match["first"], match["second"], match["third"]
        parts = {DAY_FIRST: (third, second, first), MONTH_FIRST: (third, first, second)}
        if len(third) == 2 and len(first) == 2:
            parts[YEAR_FIRST] = (first, second, third)
        days = {order: day for order, read in parts.items() if (day := _day(*read)) is not None}
        return _moment(match, days, match["gap"], short=len(third) == 2)
    for pattern in _CERTAIN:
        if match := pattern.fullmatch(text):
            named = match.groupdict()
            if named.get("before") and not may_precede(named["before"]):
                continue
            month = month_of(named["name"]) if "name" in named else int(named["month"])
            if month is None:
                continue
            day = _day(named["year"], str(month), named["day"])
            return _moment(match, {} if day is None else {"": day}, "", short=len(named["year"]) == 2)
    raise Unreadable(NO_DATE)


def whole_year(year: str) -> int:
    """Of one in two digits, or in four."""
    if len(year) == 4:
        return int(year)
    return int(year) + (2000 if int(year) <= LAST_OF_2000S else 1900)


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(whole_year(year), int(month), int(day))
    except ValueError:
        return None


def _moment(match: re.Match[str], days: Mapping[str, date], gap: str, *, short: bool) -> Moment:
    clock = _time_of_day(match["time"], match["half"]) if match["time"] else None
    if not days:
        raise Unreadable(NO_DAY)
    return Moment(days, gap, clock, _offsets(match["zone"]), short)


def _time_of_day(written: str, half: str | None) -> time:
    """Digits beyond the microsecond are dropped."""
    clock, _, fraction = written.replace(",", ".").partition(".")
    hour, minute, *second = map(int, clock.split(":"))
    if half is not None:
        if not 1 <= hour <= 12:
            raise Unreadable(NO_DAY)
        hour = hour % 12 + (12 if half in "Pp" else 0)
    try:
        return time(hour, minute, second[0] if second else 0, int(f"{fraction[:6]:0<6}"))
    except ValueError:
        raise Unreadable(NO_DAY) from None


def _offsets(zone: str | None) -> Mapping[str, timedelta]:
    if zone is None:
        return {}
    if zone[0] in "+-":
        hours, minutes = int(zone[1:3]), int(zone[3:].removeprefix(":") or 0)
        offset = timedelta(hours=hours, minutes=minutes)
        if minutes > 59 or hours > 23:
            raise Unreadable(NO_DAY)
        return {"": -offset if zone[0] == "-" else offset}
    name = zone.casefold()
    if name in SHARED_ZONES:
        return {reading: timedelta(hours=hours) for reading, hours in SHARED_ZONES[name].items()}
    known = _ZONES.get(name)
    if known is None:
        raise Unreadable(f"names a time zone that is not known, {zone}: write its offset, such as +01:00")
    return {"": timedelta(hours=known)}


def at(day: date, clock: time, offset: timedelta) -> datetime:
    """The instant, in UTC; Unreadable where it lies outside the calendar."""
    try:
        return datetime.combine(day, clock, timezone(offset)).astimezone(UTC)
    except OverflowError:
        raise Unreadable(NO_DAY) from None
