"""Whatever is told, in whichever batches and order, comes to what adding it up on paper does."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, queries, rollups, withdrawal
from billing_core.metering.ingestion import Recorded
from billing_core.metering.late import listing
from billing_core.metering.models import UsageDay, UsageEvent, UsagePeriod, UsageUser
from tests.arrivals import arriving
from tests.invoices.company import a_customer
from tests.metering.naive import Naive, Told
from tests.metering.used import wrong_in

NOW = datetime(2026, 4, 6, 12, tzinfo=UTC)
# Berlin's 29 March has 23 hours, Lord Howe's 5 April 24 and a half; New York's 1 November had 25.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
BILLED = (date(2025, 11, 2), date(2026, 3, 28))
EDGES = (
    datetime(2025, 11, 2, tzinfo=UTC),
    datetime(2025, 11, 2, 4, tzinfo=UTC),
    datetime(2025, 11, 3, 5, tzinfo=UTC),
    datetime(2026, 3, 28, 23, tzinfo=UTC),
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 3, 29, 22, tzinfo=UTC),
    datetime(2026, 4, 4, 13, tzinfo=UTC),
    datetime(2026, 4, 5, 13, 30, tzinfo=UTC),
)
NEAR = (-1_000_000, -1, 0, 1, 999_999, 1_000_000, 3_600_000_000)
INSTANTS = st.builds(
    lambda edge, microseconds: edge + timedelta(microseconds=microseconds),
    st.sampled_from(EDGES),
    st.sampled_from(NEAR),
)
MILLIONTHS = st.integers(0, 3_000_000).map(lambda millionths: Decimal(millionths).scaleb(-6))
EVENTS = st.builds(
    Told,
    st.integers(0, len(ZONES) - 1),
    st.sampled_from("abcdef"),
    INSTANTS,
    st.sampled_from(["", "ana", "ben"]),
    st.none() | MILLIONTHS,
    st.sampled_from([Decimal(1), Decimal(-1), Decimal(1_000_000_000)]) | MILLIONTHS,
)
BATCHES = st.lists(st.lists(EVENTS, min_size=3, max_size=8), min_size=1, max_size=3)


def as_told(event: Told) -> dict[str, object]:
    return {
        "id": event.id,
        "customer_ref": f"C{event.customer}",
        "time": event.at.isoformat(),
        "user": event.user,
        "response_time": event.response_time,
        "quantity": event.quantity,
    }


def record(session: Session, batch: Sequence[Told]) -> Recorded:
    """``refused`` has indices, as that of ``Naive.record``."""
    recorded = ingestion.record(session, SYSTEM, [as_told(event) for event in batch], now=NOW)
    refused = tuple(refusal.index for refusal in recorded.refused)
    return Recorded(recorded.accepted, recorded.repeated, recorded.late, refused)


def kept_days(session: Session, ids: Sequence[int]) -> dict:
    return {
        (ids.index(day.customer_id), day.zone_kind.value, day.day, day.user): (
            day.calls,
            day.whole + Decimal(day.millionths).scaleb(-6),
            day.response_time,
            day.timed_calls,
        )
        for day in session.scalars(select(UsageDay))
    }


def everything(session: Session) -> list[list[tuple]]:
    """All rows of what is kept, in an order of their own."""
    session.expire_all()
    return [
        sorted(map(tuple, session.execute(select(*table.__table__.c))), key=repr)
        for table in (UsageDay, UsageUser, UsageEvent)
    ]


@pytest.fixture
def customers(session) -> list[int]:
    """One in each of the zones; of the first one everything up to 28 March was billed."""
    ids = [a_customer(session, f"C{place}", time_zone=zone) for place, zone in enumerate(ZONES)]
    session.add(UsagePeriod(customer_id=ids[0], first_day=BILLED[0], last_day=BILLED[1], billed_at=NOW))
    session.flush()
    return ids


def anew(session: Session) -> Iterator[None]:
    with session.begin_nested() as savepoint:
        yield
        savepoint.rollback()
    session.expire_all()


@pytest.mark.drawn
def test_any_history_comes_to_what_adding_up_says(session, customers):
    with arriving(["accepted", "repeated", "late", "refused", "withdrawn"]) as arrived:

        @settings(max_examples=25)
        @given(BATCHES, st.lists(st.integers(0, 50), max_size=3), st.tuples(INSTANTS, INSTANTS))
        def any_history(batches, takings, window):
            for _ in anew(session):
                naive = Naive(ZONES, BILLED)
                for batch in batches:
                    expected = naive.record(batch)
                    assert record(session, batch) == expected
                    for step in ("accepted", "repeated", "late", "refused"):
                        if getattr(expected, step):
                            arrived(step)
                    for taking in takings:
                        take_back(session, naive, taking)
                compare(session, naive, sorted(window))

        def take_back(session, naive, taking):
            left = [*naive.counted()]
            if left:
                event = left[taking % len(left)]
                naive.withdrawn.add((event.customer, event.id))
                withdrawal.withdraw(session, SYSTEM, customers[event.customer], event.id, reason="A test", now=NOW)
                arrived("withdrawn")

        def compare(session, naive, window):
            assert kept_days(session, customers) == naive.days()
            for start, end in (window, [EDGES[0], NOW]):
                for place, customer_id in enumerate(customers):
                    used = queries.usage_of(session, SYSTEM, customer_id, start=start, end=end)
                    assert used == naive.usage(place, start, end)
            late = {(customers.index(row.customer_id), row.id) for row in listing.late_events(session, SYSTEM)}
            assert late == naive.late
            assert wrong_in(session) == []
            before = everything(session)
            rollups.rebuild(session)
            assert everything(session) == before

        any_history()


@settings(max_examples=20)
@given(data=st.data())
def split_in_any_way(session, data):
    told = data.draw(
        st.lists(EVENTS.filter(lambda event: event.quantity >= 0), max_size=12, unique_by=lambda e: (e.customer, e.id))
    )
    for _ in anew(session):
        record(session, told)
        at_once = everything(session)
    mixed = data.draw(st.permutations(told * 2))
    cuts = sorted({0, len(mixed), *data.draw(st.lists(st.integers(0, len(mixed)), max_size=4))})
    for _ in anew(session):
        for start, end in pairwise(cuts):
            record(session, mixed[start:end])
        assert everything(session) == at_once


@pytest.mark.drawn
def test_any_split_and_order_with_repeats_comes_to_the_same(session, customers):
    split_in_any_way(session)


@pytest.mark.drawn
def test_a_day_by_day_series_adds_up_to_its_window(session, customers):
    @settings(max_examples=10)
    @given(st.lists(EVENTS, max_size=12))
    def any_events(told):
        for _ in anew(session):
            record(session, told)
            period = Period(date(2025, 11, 1), date(2026, 4, 6))
            for customer_id in customers:
                days = queries.daily(session, SYSTEM, customer_id, period)
                assert [day.day for day in days] == [
                    period.start + timedelta(days=place) for place in range(period.days)
                ]
                whole = queries.usage_of(
                    session,
                    SYSTEM,
                    customer_id,
                    start=EDGES[0] - timedelta(days=1),
                    end=NOW.replace(hour=23, minute=59, second=59),
                )
                assert sum(day.calls for day in days) == whole.calls
                assert sum(day.quantity for day in days) == whole.quantity
                assert sum(day.response_time_sum for day in days) == whole.response_time_sum
                assert max(day.active_users for day in days) <= whole.active_users

    any_events()
