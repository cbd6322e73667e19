"""Windows, series and lists of what a customer used."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete
from sqlalchemy.event import listen

from billing_core.database import Sessions, connect
from billing_core.dates import Period
from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.metering import queries
from billing_core.metering.late import listing
from billing_core.metering.models import UsageEvent
from billing_core.metering.queries import Day
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, record, used

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session, time_zone="America/New_York")


def calls_in(sessions, customer_id: int, start: datetime, end: datetime) -> int:
    return used(sessions, customer_id, start, end).calls


def test_an_end_to_the_second_includes_that_second(sessions, acme):
    record(
        sessions,
        an_event("last", time="2026-03-10T23:59:59.999999Z"),
        an_event("next", time="2026-03-11T00:00:00Z"),
    )
    end = datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC)
    assert calls_in(sessions, acme, MARCH, end) == 1
    assert calls_in(sessions, acme, MARCH, end.replace(microsecond=999_998)) == 0
    assert calls_in(sessions, acme, MARCH, end.replace(microsecond=999_999)) == 1
    assert calls_in(sessions, acme, MARCH, datetime(2026, 3, 11, tzinfo=UTC)) == 2


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # Whole days; days and two edges; a part of one day; two parts of neighbouring days; nothing.
        ("2026-03-09T00:00:00", "2026-03-11T23:59:59", 6),
        ("2026-03-09T12:00:00", "2026-03-11T11:59:59", 4),
        ("2026-03-10T06:00:01", "2026-03-10T17:59:59", 0),
        ("2026-03-10T05:59:59", "2026-03-10T18:00:00", 2),
        ("2026-03-09T18:00:00", "2026-03-10T06:00:00", 2),
        ("2026-03-09T18:00:01", "2026-03-10T05:59:58", 0),
        ("2026-03-12T00:00:00", "2026-03-09T00:00:00", 0),
        ("2026-03-10T12:00:00", "2026-03-10T11:00:00", 0),
    ],
)
def test_a_window_counts_what_lies_in_it(sessions, acme, start, end, expected):
    record(
        sessions,
        *(
            an_event(f"{day} {hour}", time=f"2026-03-{day}T{hour}:00:00Z", user=f"{day}")
            for day in ("09", "10", "11")
            for hour in ("06", "18")
        ),
    )
    window = (datetime.fromisoformat(edge).replace(tzinfo=UTC) for edge in (start, end))
    assert calls_in(sessions, acme, *window) == expected


def test_users_are_counted_once_however_many_days_they_were_there(sessions, acme):
    record(
        sessions,
        an_event("1", user="ana", time="2026-03-01T00:00:00Z"),
        *(an_event(f"b{day}", user="ben", time=f"2026-03-0{day}T12:00:00Z") for day in range(2, 6)),
        an_event("2", user="eve", time="2026-03-05T13:00:00Z"),
        an_event("3", user="", time="2026-03-05T13:00:00Z"),
    )
    inside = used(sessions, acme, MARCH + timedelta(days=1), datetime(2026, 3, 5, 12, tzinfo=UTC))
    assert (inside.total_users, inside.active_users, inside.calls) == (2, 1, 4)


def test_a_series_has_every_day(sessions, acme):
    record(
        sessions,
        an_event("1", user="ana", response_time=Decimal("0.5"), time="2026-03-02T23:59:59Z"),
        an_event("2", user="ben", quantity=3, time="2026-03-02T00:00:00Z"),
    )
    period = Period(date(2026, 3, 1), date(2026, 3, 3))
    with sessions() as session:
        assert queries.daily(session, SYSTEM, acme, period) == [
            Day(date(2026, 3, 1), 0, 0, Decimal(0), Decimal(0), 0),
            Day(date(2026, 3, 2), 2, 2, Decimal(4), Decimal("0.5"), 1),
            Day(date(2026, 3, 3), 0, 0, Decimal(0), Decimal(0), 0),
        ]
        with pytest.raises(Invalid):
            queries.daily(session, SYSTEM, acme, Period(date(2020, 1, 1), date(2026, 3, 3)))


def test_events_are_listed_page_by_page(sessions, acme):
    with sessions.begin() as session:
        other = a_customer(session, "OTHER")
    # Some at the same instant, told in any order.
    told = [(f"e{number}", f"2026-03-10T10:00:0{number // 3}Z") for number in (4, 1, 0, 8, 5, 2, 7, 3, 6)]
    record(sessions, *(an_event(name, time=time, user="ana") for name, time in told))
    record(sessions, an_event("later", time="2026-03-10T10:00:03Z"), an_event("other", customer_ref="OTHER"))
    window = {"start": NOW.replace(day=10, hour=10), "end": NOW.replace(day=10, hour=10, second=2)}
    listed, after = [], None
    with sessions() as session:
        while page := queries.events(session, SYSTEM, acme, **window, after_event=after, limit=2):
            listed += [row.id for row in page]
            after = (page[-1].occurred_at, page[-1].id)
        assert listed == [f"e{number}" for number in range(9)]
        assert queries.events(session, SYSTEM, acme, **window, user="ben") == []
        assert queries.events(session, SYSTEM, acme, **window, user="a\0b") == []
        assert len(queries.events(session, SYSTEM, acme, **window, user="ana")) == 9
        (row,) = queries.events(session, SYSTEM, other, **window)
        assert (row.customer_ref, row.id, row.meter, row.quantity, row.properties, row.received_at, row.late) == (
            "OTHER",
            "other",
            "api_calls",
            Decimal(1),
            "{}",
            NOW,
            False,
        )


def test_whoever_is_bound_to_one_customer_learns_nothing_of_another(sessions, acme):
    with sessions.begin() as session:
        other = a_customer(session, "OTHER")
    record(sessions, an_event("1", user="ana"))
    bound = actor_with(Role.FINANCE, user_id=1, name="Own", customer_id=other)
    window = {"start": MARCH, "end": NOW}
    with sessions() as session:
        asking = (
            lambda actor, customer_id: queries.usage_of(session, actor, customer_id, **window),
            lambda actor, customer_id: queries.events(session, actor, customer_id, **window),
            lambda actor, customer_id: queries.daily(session, actor, customer_id, Period.month_of(MARCH.date())),
        )
        for ask in asking:
            ask(bound, other)
            with pytest.raises(NotFound):
                ask(bound, acme)
            with pytest.raises(Forbidden):
                ask(Actor(1, "Other", frozenset(Permission) - {Permission.USAGE_READ}), acme)
        assert listing.late_events(session, bound) == []


def test_a_window_costs_the_same_however_many_calls_its_days_had(sessions, acme):
    """The days are read from their totals: only the two at the edges read events."""
    record(sessions, *(an_event(str(number), time="2026-03-10T10:00:00Z", user="ana") for number in range(100)))
    record(sessions, an_event("first", time="2026-03-01T01:30:00Z"), an_event("last", time=NOW))
    with sessions.begin() as session:
        session.execute(delete(UsageEvent).where(UsageEvent.event_id.not_in(["first", "last"])))
    assert calls_in(sessions, acme, MARCH + timedelta(hours=1), NOW) == 102
    assert calls_in(sessions, acme, MARCH + timedelta(hours=2), NOW - timedelta(seconds=1)) == 100


def test_a_series_has_at_most_a_thousand_days(sessions, acme):
    first = date(2023, 7, 1)
    with sessions() as session:
        longest = Period(first, first + timedelta(days=999))
        assert len(queries.daily(session, SYSTEM, acme, longest)) == 1_000
        with pytest.raises(Invalid, match="at most 1,000 days"):
            queries.daily(session, SYSTEM, acme, Period(first, first + timedelta(days=1_000)))


def test_where_a_list_goes_on_after_an_event(sessions, acme):
    record(sessions, an_event("1"))
    with sessions() as session:
        assert queries.time_of(session, SYSTEM, acme, "1") == datetime(2026, 3, 10, 10, tzinfo=UTC)
        for nobody in ("2", "a\0b"):
            with pytest.raises(Invalid, match="starting_after"):
                queries.time_of(session, SYSTEM, acme, nobody)


@pytest.mark.parametrize("after_event", [None, (1, NOW, "last seen")])
def test_late_events_are_found_without_a_walk_through_all(sqlite_url, after_event):
    opened, asked = Sessions(connect(sqlite_url)), []
    listen(opened.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    with opened() as session:
        listing.late_events(session, SYSTEM, after_event=after_event)
        ((words, bound),) = [one for one in asked if "usage_late_items" in one[0]]
        steps = [step for *_, step in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", bound)]
    opened.engine.dispose()
    walks = [step for step in steps if re.match(r"(SCAN|SEARCH) usage_(events|late_items)\b", step)]
    assert [re.findall(r"ix_\w+", step) for step in walks[:1]] == [["ix_usage_late_items_in_order"]]
    assert [step for step in walks[1:] if "event_id=?" not in step] == []
    assert [step for step in steps if "FOR GROUP BY" in step] == []
