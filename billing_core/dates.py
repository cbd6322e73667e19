"""Whole days, periods and months. Days are days in the business's time zone; instants are UTC."""

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo, available_timezones

from babel.core import get_global
from sqlalchemy import ColumnElement, SQLColumnExpression, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from billing_core.errors import Invalid

# The range of days of orders and reports.
EARLIEST_DAY: Final = date(1900, 1, 1)
LATEST_DAY: Final = date(2199, 12, 31)


def utc_now() -> datetime:
    """The present instant. Only edges (pages, routes, commands, jobs) call it and pass it on."""
    return datetime.now(UTC)


def day_in(zone: str, instant: datetime) -> date:
    """The calendar day of an instant in the business's time zone."""
    return instant.astimezone(ZoneInfo(zone)).date()


@dataclass(frozen=True, slots=True)
class Today:
    """What day it is in each of our businesses: ``usual``, except in ``others`` (a business's id and its day)."""

    usual: date
    others: tuple[tuple[int, date], ...]


# A date alone is that day in every business.
Day = date | Today


def today_in(zones: Sequence[tuple[int, str]], instant: datetime) -> Day:
    """What day it is in each business, by its id and time zone; the usual day is that of the first."""
    days = [(business_id, day_in(zone, instant)) for business_id, zone in zones]
    usual = days[0][1]
    others = tuple((business_id, day) for business_id, day in days if day != usual)
    return Today(usual, others) if others else usual


def day_of(day: Day, business_id: int) -> date:
    """The day in one business."""
    return dict(day.others).get(business_id, day.usual) if isinstance(day, Today) else day


def usual_day(day: Day) -> date:
    """The day in the first business, for what is not one business's."""
    return day.usual if isinstance(day, Today) else day


def passed(
    column: SQLColumnExpression[date], business_id: SQLColumnExpression[int], day: Day, *, days_ago: int = 0
) -> ColumnElement[bool]:
    """In SQL: where the business is, the column's day lies before the day, or before the one so many days ago."""
    if not isinstance(day, Today):
        return column < (day - timedelta(days=days_ago) if days_ago else day)
    back = timedelta(days=days_ago)
    everywhere = {day.usual, *(other for _, other in day.others)}
    elsewhere = business_id.not_in([other for other, _ in day.others])
    there = [(business_id == other) & (column < its - back) for other, its in day.others]
    # The first two comparisons alone let an index serve.
    in_one = or_(column < min(everywhere) - back, elsewhere & (column < day.usual - back), *there)
    return and_(column < max(everywhere) - back, in_one)


def in_utc(moment: datetime) -> datetime:
    """The same instant in UTC, limited to the first and last that UTC's calendar can express."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if moment.year == 1 else datetime.max.replace(tzinfo=UTC)


def start_of_day(zone: str, day: date) -> datetime:
    """The instant (UTC) at which a day begins in the business's time zone."""
    return in_utc(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)))


def time_zone(name: str) -> str:
    """The IANA name itself; Invalid when there is no such zone."""
    if name not in available_timezones():
        raise Invalid(f"“{name}” is not a time zone such as Europe/Berlin")
    return name


def country_of(zone: str) -> str:
    """The ISO 3166 code of the country in which an IANA time zone is; empty where it is in none, as UTC."""
    territory = get_global("zone_territories").get(get_global("zone_aliases").get(zone, zone), "")
    return territory if territory not in ("001", "ZZ") else ""


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def last_of_month(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def add_months(day: date, months: int) -> date:
    """The same day that many months on, or the month's last day where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both ends included."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise Invalid(
                "Start date must be before end date",
                fields={"start_date": "is after the end date"},
            )

    @classmethod
    def month_of(cls, day: date) -> Self:
        return cls(first_of_month(day), last_of_month(day))

    @classmethod
    def last_month(cls, today: date) -> Self:
        return cls.month_of(first_of_month(today) - timedelta(days=1))

    @classmethod
    def quarter_of(cls, day: date) -> Self:
        first = date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
        return cls(first, last_of_month(add_months(first, 2)))

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def is_one_month(self) -> bool:
        """From any day to the one before the same day of the next month."""
        return self.end + timedelta(days=1) == add_months(self.start, 1)

    def before(self) -> Self:
        """The preceding period: whole months for whole months, otherwise as many days."""
        if self.start.day == 1 and self.end == last_of_month(self.end):
            months = (self.end.year - self.start.year) * 12 + self.end.month - self.start.month + 1
            return type(self)(add_months(self.start, -months), self.start - timedelta(days=1))
        return type(self)(self.start - timedelta(days=self.days), self.start - timedelta(days=1))

    def months(self) -> Iterator[date]:
        """The first day of every month that the period touches, in order."""
        first, last = (day.year * 12 + day.month - 1 for day in (self.start, self.end))
        for month in range(first, last + 1):
            yield date(month // 12, month % 12 + 1, 1)

    def each_day(self) -> Iterator[date]:
        return map(date.fromordinal, range(self.start.toordinal(), self.end.toordinal() + 1))

    def contains(self, day: ColumnElement[date] | InstrumentedAttribute[date]) -> ColumnElement[bool]:
        """The same test in SQL."""
        return day.between(self.start, self.end)

    def overlaps(self, start: InstrumentedAttribute[date], end: InstrumentedAttribute[date]) -> ColumnElement[bool]:
        """In SQL: whether this period shares a day with the one between these two columns."""
        return (start <= self.end) & (end >= self.start)

    def __str__(self) -> str:
        return f"{self.start.isoformat()} to {self.end.isoformat()}"
