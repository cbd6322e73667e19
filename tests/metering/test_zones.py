"""Days in time zones are the same in SQL as Python's."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import literal, select

from billing_core.database.types import UtcDateTime
from billing_core.metering.zones import day_in_zone, day_of, offsets

MICROSECOND = timedelta(microseconds=1)


def day_in_sql(session, zone: str, instant: datetime):
    """Its day where the zone's clocks say so; an error unless exactly one piece of time has the instant."""
    ahead = offsets(session, [zone, "UTC"], instant, instant)
    moment = literal(instant, UtcDateTime)
    found = select(day_of(moment, ahead.c.seconds)).where(
        ahead.c.zone == zone, moment >= ahead.c.starts_at, moment < ahead.c.ends_at
    )
    day = session.scalars(found).one()
    # Whether the time that is looked at is short or long.
    for around in (timedelta(0), timedelta(days=200)):
        assert session.scalar(select(day_in_zone(moment, zone, instant - around, instant + around))) == day
    return day


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("Asia/Kathmandu", "2026-06-01", 24),
        ("Pacific/Kiritimati", "2025-12-31", 24),
        ("Africa/Monrovia", "2026-01-01", 24),
        ("UTC", "2024-02-29", 24),
    ],
)
def test_a_day_has_its_hours_and_not_a_microsecond_more(session, zone, day, hours):
    morning = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    start = morning.astimezone(UTC)
    end = start + timedelta(hours=hours)
    for instant, within in ((start, True), (end - MICROSECOND, True), (start - MICROSECOND, False), (end, False)):
        found = day_in_sql(session, zone, instant)
        assert found == instant.astimezone(ZoneInfo(zone)).date()
        assert (found == morning.date()) is within


def test_a_day_that_a_zone_skipped_is_nobodys(session):
    """Samoa had no 30 December 2011."""
    last = datetime(2011, 12, 30, 9, 59, 59, 999_999, tzinfo=UTC)
    days = [day_in_sql(session, "Pacific/Apia", instant).day for instant in (last, last + MICROSECOND)]
    assert days == [29, 31]


@pytest.mark.parametrize("year", range(2000, 2030, 7))
def test_a_year_is_cut_where_a_zone_changes_its_clocks(session, year):
    """In zones that change their clocks, among them one around Ramadan and one by half an hour."""
    zones = ("Africa/Casablanca", "America/Caracas", "Asia/Tehran", "Asia/Gaza", "Pacific/Chatham")
    start = datetime(year, 1, 1, tzinfo=UTC)
    ahead = offsets(session, zones, start, start)
    pieces = session.execute(select(ahead).order_by(ahead.c.zone, ahead.c.starts_at)).all()
    assert {piece.zone for piece in pieces} == set(zones)
    for zone in zones:
        own = [piece for piece in pieces if piece.zone == zone]
        assert own[0].starts_at == start
        assert own[-1].ends_at == start.replace(year=year + 1)
        assert all(piece.ends_at == following.starts_at for piece, following in pairwise(own))
        for piece in own:
            for instant in (piece.starts_at, piece.ends_at - MICROSECOND):
                assert instant.astimezone(ZoneInfo(zone)).utcoffset() == timedelta(seconds=piece.seconds)
            hours = int((piece.ends_at - piece.starts_at) / timedelta(hours=12))
            between = {
                (piece.starts_at + timedelta(hours=12 * hour)).astimezone(ZoneInfo(zone)).utcoffset()
                for hour in range(hours)
            }
            assert between <= {timedelta(seconds=piece.seconds)}
