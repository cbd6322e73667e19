"""Days in time zones, for SQL: when each zone was how far from UTC.

SQLite knows no zones, and PostgreSQL has a list of its own: from here both get the same.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import CTE, ColumnElement, Date, Integer, String, case, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from billing_core.database.functions import Columns, as_rows
from billing_core.database.types import UtcDateTime

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_COLUMNS: Final[Columns] = {
    "zone": String(),
    "starts_at": UtcDateTime(),
    "ends_at": UtcDateTime(),
    "seconds": Integer(),
}


def offsets(session: Session, zones: Iterable[str], first: datetime, last: datetime) -> CTE:
    """Rows of (zone, starts_at, ends_at, seconds): from the one instant until before the other the zone's clocks are
    that many seconds ahead of UTC. They cover the time from ``first`` to ``last`` without gaps.
    """
    pieces = (
        (zone, start, end, seconds)
        for zone in sorted(set(zones))
        for year in range(first.year, last.year + 1)
        for start, end, seconds in _year(zone, year)
    )
    # Written down once, so that SQLite looks a zone up in them; otherwise it reads the text anew for each event.
    return as_rows(session, "offsets", _COLUMNS, pieces).prefix_with("MATERIALIZED")


def day_in_zone(instant: ColumnElement[datetime], zone: str, first: datetime, last: datetime) -> ColumnElement[date]:
    """In SQL: the zone's day of an instant between ``first`` and ``last``; without a look at any table."""
    pieces = [
        (end, seconds)
        for year in range(first.year, last.year + 1)
        for start, end, seconds in _year(zone, year)
        if start <= last and end > first
    ]
    if not any(seconds for _, seconds in pieces):
        return utc_day_of(instant)
    *earlier, (_, latest) = pieces
    ahead = case(*((instant < end, seconds) for end, seconds in earlier), else_=latest) if earlier else literal(latest)
    return day_of(instant, ahead)


class utc_day_of(FunctionElement[date]):  # noqa: N801 - reads as the SQL function that it is
    """The UTC day of an instant."""

    type = Date()
    inherit_cache = True


@compiles(utc_day_of, "sqlite")
def _utc_day_on_sqlite(element: utc_day_of, compiler: SQLCompiler, **options: object) -> str:
    # An instant begins with its day. To have it computed takes three times as long.
    return f"substr({compiler.process(element.clauses, **options)}, 1, 10)"


@compiles(utc_day_of, "postgresql")
def _utc_day_on_postgresql(element: utc_day_of, compiler: SQLCompiler, **options: object) -> str:
    return f"CAST(({compiler.process(element.clauses, **options)}) AT TIME ZONE 'UTC' AS date)"


class day_of(FunctionElement[date]):  # noqa: N801 - reads as the SQL function that it is
    """The day of an instant where clocks are so many seconds ahead of UTC."""

    type = Date()
    inherit_cache = True

    def __init__(self, instant: ColumnElement[datetime], seconds: ColumnElement[int]) -> None:
        super().__init__(instant, seconds)


@compiles(day_of, "sqlite")
def _day_on_sqlite(element: day_of, compiler: SQLCompiler, **options: object) -> str:
    instant, seconds = (compiler.process(part, **options) for part in element.clauses)
    # Without the fraction: SQLite rounds 23:59:59.9996 up, into the next day.
    moved = f"date(substr({instant}, 1, 19), ({seconds}) || ' seconds')"
    return f"CASE {seconds} WHEN 0 THEN substr({instant}, 1, 10) ELSE {moved} END"


@compiles(day_of, "postgresql")
def _day_on_postgresql(element: day_of, compiler: SQLCompiler, **options: object) -> str:
    instant, seconds = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST(({instant}) AT TIME ZONE 'UTC' + make_interval(secs => {seconds}) AS date)"


def midnight(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return datetime.combine(day, time(), UTC)


@lru_cache(maxsize=4_096)
def _year(zone: str, year: int) -> tuple[tuple[datetime, datetime, int], ...]:
    """The year in pieces within which the zone keeps its distance from UTC, in seconds."""
    return tuple(_pieces(ZoneInfo(zone), datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)))


def _pieces(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, int]]:
    begun, seconds = start, _seconds(zone, start)
    day = start
    while day < end:
        following = day + DAY
        if _seconds(zone, following) != seconds:
            changed = _change(zone, day, following)
            yield begun, changed, seconds
            begun, seconds = changed, _seconds(zone, following)
        day = following
    if begun < end:
        yield begun, end, seconds


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second between the two at which the zone's clocks have changed."""
    former = _seconds(zone, before)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        if _seconds(zone, middle) == former:
            before = middle
        else:
            after = middle
    return after


def _seconds(zone: ZoneInfo, instant: datetime) -> int:
    offset = instant.astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
