"""Meters that are billed from their events: by hand, and against following each customer's events on paper."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from billing_core.database import connect
from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, meters, queries, withdrawal
from billing_core.metering.models import BY_DAYS, FROM_EVENTS, Aggregation, Meter, UsageEvent
from billing_core.metering.quantities import used as quantities
from billing_core.metering.quantities.stretches import Stretch
from tests.arrivals import arriving
from tests.invoices.company import a_customer
from tests.metering.used import NOW

D = Decimal
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
# 31 days less the hour that Berlin's 29 March does not have.
HOURS = 31 * 24 - 1


def a_meter(session, aggregation, code=None, **facts):
    code = code or aggregation.value
    known = {"name": code, "aggregation": aggregation, "unit": "unit", "now": NOW}
    return meters.create(session, SYSTEM, code=code, **known, **facts).id


@pytest.fixture
def acme(session) -> int:
    return a_customer(session, time_zone="Europe/Berlin")


def tell(session, meter, at, quantity="1", **facts):
    """``at``: Berlin's clock."""
    moment = datetime.fromisoformat(f"2026-{at}").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    event = {
        "id": f"{meter}-{at}-{quantity}-{facts}",
        "customer_ref": "ACME",
        "time": moment.isoformat(),
        "meter": meter,
        "quantity": D(quantity),
        **facts,
    }
    recorded = ingestion.record(session, SYSTEM, [event], now=datetime(2026, 4, 20, tzinfo=UTC))
    assert recorded.accepted == 1, recorded.refused
    return event["id"]


def found_in(session, stretches, period=MARCH):
    return quantities.used(session, stretches, period, session.scalars(select(Meter)).all())


def used(session, customer_id, *days):
    """By the place of the stretch and the meter's id; by default the whole month is one."""
    stretches = [Stretch(customer_id, MARCH.start.replace(day=a), MARCH.start.replace(day=b)) for a, b in days]
    found = found_in(session, stretches or [Stretch(customer_id, MARCH.start, MARCH.end)])
    return {(one.place, one.meter_id, one.bucket_id): one.quantity for one in found}


def test_the_greatest_quantity(session, acme):
    meter = a_meter(session, Aggregation.MAX)
    for at, quantity in (("02-28T23:59:59", "9"), ("03-01T00:00", "2.5"), ("03-20T12:00", "7"), ("04-01T00:00", "8")):
        tell(session, "max", at, quantity)
    gone = tell(session, "max", "03-21T12:00", "7.000001")
    assert used(session, acme) == {(0, meter, 0): D("7.000001")}
    withdrawal.withdraw(session, SYSTEM, acme, gone, reason="A test", now=NOW)
    assert used(session, acme, (1, 19), (20, 31)) == {(0, meter, 0): D("2.5"), (1, meter, 0): D(7)}
    assert used(session, acme, (2, 19)) == {}


def test_users_and_values_count_once_a_period_where_they_come_first(session, acme):
    users = a_meter(session, Aggregation.UNIQUE)
    values = a_meter(session, Aggregation.UNIQUE, "devices", unique_of="device id")
    for at, user in (("03-01T00:00", "ana"), ("03-02T00:00", "ben"), ("03-20T00:00", "ana"), ("03-21T00:00", "null")):
        tell(session, "unique", at, user=user)
    tell(session, "unique", "03-22T00:00")
    for at, device in (("03-05T00:00", "x"), ("03-06T00:00", 1), ("03-25T00:00", "x"), ("03-26T00:00", "1")):
        tell(session, "devices", at, properties={"device id": device}, user="ana")
    tell(session, "devices", "03-27T00:00", properties={"device id": None})
    tell(session, "devices", "03-27T00:00", user="ben")
    assert used(session, acme) == {(0, users, 0): 3, (0, values, 0): 3}
    assert used(session, acme, (1, 19), (20, 31)) == {
        (0, users, 0): 2,
        (0, values, 0): 2,
        (1, users, 0): 1,
        (1, values, 0): 1,
    }


def test_the_latest_quantity_holds_until_another_is_told(session, acme):
    meter = a_meter(session, Aggregation.LATEST)
    assert used(session, acme) == {}
    gone = tell(session, "latest", "01-15T12:00", "4")
    assert used(session, acme) == {(0, meter, 0): 4}
    tell(session, "latest", "03-20T00:00", "0")
    tell(session, "latest", "04-01T00:00", "9")
    assert used(session, acme, (1, 19), (20, 31)) == {(0, meter, 0): 4, (1, meter, 0): 0}
    withdrawal.withdraw(session, SYSTEM, acme, gone, reason="A test", now=NOW)
    assert used(session, acme, (1, 19), (20, 31)) == {(1, meter, 0): 0}


def test_quantities_count_for_as_much_of_the_period_as_they_held(session, acme):
    meter = a_meter(session, Aggregation.TIME_WEIGHTED_SUM)
    tell(session, "time_weighted_sum", "03-29T00:00", "743")
    # Three days less an hour, of 743 hours.
    assert used(session, acme) == {(0, meter, 0): 71}
    tell(session, "time_weighted_sum", "03-31T23:00", "0")
    assert used(session, acme) == {(0, meter, 0): 70}
    tell(session, "time_weighted_sum", "02-10T00:00", "1.486")
    # Before that 28 days of 1.486: 672 × 1.486 ÷ 743
    assert used(session, acme) == {(0, meter, 0): 70 + D("1.344")}
    assert used(session, acme, (1, 14), (15, 30), (31, 31)) == {
        (0, meter, 0): D("0.672"),
        (1, meter, 0): D("0.672") + 47,
        (2, meter, 0): 23,
    }


def test_what_held_is_rounded_half_up_to_the_last_digit_once(session, acme):
    meter = a_meter(session, Aggregation.TIME_WEIGHTED_SUM)
    # An hour of 0.0003715 … in millionths 371.5 ÷ 743 = 0.5
    tell(session, "time_weighted_sum", "03-10T00:00", "0.000743")
    tell(session, "time_weighted_sum", "03-10T00:30", "0")
    assert used(session, acme) == {(0, meter, 0): D("0.000001")}
    tell(session, "time_weighted_sum", "03-10T00:29:59.999999", "0")
    assert used(session, acme) == {(0, meter, 0): 0}


def test_parts_of_a_second_count_as_such(session, acme):
    meter = a_meter(session, Aggregation.TIME_WEIGHTED_SUM)
    # A second and a half of 743 hours, which are 2,674,800 seconds.
    tell(session, "time_weighted_sum", "03-10T00:00", "5349600")
    tell(session, "time_weighted_sum", "03-10T00:00:01.500000", "0")
    assert used(session, acme) == {(0, meter, 0): 3}


def test_the_largest_quantities_held_all_year_are_exact(session, acme):
    meter = a_meter(session, Aggregation.TIME_WEIGHTED_SUM)
    tell(session, "time_weighted_sum", "01-01T00:00", "999999999.999999")
    year = Period(date(2026, 1, 1), date(2026, 12, 31))
    (found,) = found_in(session, [Stretch(acme, year.start, year.end)], year)
    assert (found.meter_id, found.quantity) == (meter, D("999999999.999999"))


def test_each_bucket_is_followed_by_itself(session, acme):
    ids = {kind: a_meter(session, kind) for kind in FROM_EVENTS}
    bucket = {}
    for kind in FROM_EVENTS:
        facts = {"code": "eu", "name": "EU", "filters": {"region": ["eu"]}, "now": NOW}
        bucket[kind] = meters.add_bucket(session, SYSTEM, kind.value, **facts).id
        for region, quantity in (("eu", "2"), ("us", "743")):
            tell(session, kind.value, "03-31T23:00", quantity, properties={"region": region}, user="ana")
    held = D(2) / 743
    assert used(session, acme) == {
        (0, ids[Aggregation.MAX], 0): 743,
        (0, ids[Aggregation.MAX], bucket[Aggregation.MAX]): 2,
        (0, ids[Aggregation.UNIQUE], 0): 1,
        (0, ids[Aggregation.UNIQUE], bucket[Aggregation.UNIQUE]): 1,
        (0, ids[Aggregation.LATEST], 0): 743,
        (0, ids[Aggregation.LATEST], bucket[Aggregation.LATEST]): 2,
        (0, ids[Aggregation.TIME_WEIGHTED_SUM], 0): 1,
        (0, ids[Aggregation.TIME_WEIGHTED_SUM], bucket[Aggregation.TIME_WEIGHTED_SUM]): held.quantize(D("0.000001")),
    }


def test_only_meters_of_unique_values_name_a_property(session):
    with pytest.raises(Invalid) as refused:
        a_meter(session, Aggregation.MAX, unique_of="device")
    assert list(refused.value.fields) == ["unique_of"]
    with pytest.raises(Invalid) as refused:
        a_meter(session, Aggregation.UNIQUE, unique_of='a "b"')
    assert list(refused.value.fields) == ["unique_of"]
    a_meter(session, Aggregation.UNIQUE, unique_of="device")
    assert [(one.code, one.unique_of) for one in meters.rows(session, SYSTEM)] == [
        ("api_calls", ""),
        ("unique", "device"),
    ]


def test_events_of_these_meters_are_marked_and_others_are_not(session, acme):
    for kind in Aggregation:
        a_meter(session, kind)
        tell(session, kind.value, "03-10T00:00")
    marked = select(Meter.aggregation, UsageEvent.raw).join(UsageEvent, UsageEvent.meter_id == Meter.id)
    assert dict(session.execute(marked).all()) == {kind: kind not in BY_DAYS for kind in Aggregation}


@pytest.mark.parametrize(
    ("column", "index"), [(UsageEvent.late, "ix_usage_events_late"), (UsageEvent.raw, "ix_usage_events_raw")]
)
def test_late_and_raw_events_are_found_by_their_indexes(sqlite_url, column, index):
    """SQLite takes such an index only where index and query have the same words."""
    engine = connect(sqlite_url)
    statement = select(UsageEvent.event_id).where(UsageEvent.customer_id == 1, column)
    words = statement.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        (step,) = connection.execute(text(f"EXPLAIN QUERY PLAN {words}")).all()
    engine.dispose()
    assert f"INDEX {index}" in step[-1]


ZONES = ("Europe/Berlin", "America/New_York")
MOMENTS = st.builds(
    lambda hours, microseconds: datetime(2026, 2, 27, tzinfo=UTC) + timedelta(hours=hours, microseconds=microseconds),
    st.integers(0, 34 * 24),
    st.sampled_from([0, 0, 1, 999_999, 1_800_000_000]),
)
TOLD = st.tuples(
    st.integers(0, 1),
    st.sampled_from(FROM_EVENTS),
    MOMENTS,
    st.sampled_from([D(0), D(3), D("0.000001"), D("999999999.999999"), D("2.5")]),
    st.sampled_from(["", "ana", "ben"]),
    st.sampled_from(["eu", "us"]),
)


def on_paper(told, zones, cuts):
    """What each stretch comes to, following the events one after the other."""
    days = [date(2026, 3, 1), *cuts, date(2026, 4, 1)]
    found = {}
    groups = defaultdict(list)
    for number, (customer, kind, at, quantity, user, region) in enumerate(told):
        groups[customer, kind, region == "eu"].append((at, f"{number:03}", quantity, user))
    for (customer, kind, in_bucket), events in groups.items():
        edges = [
            datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zones[customer])).astimezone(UTC) for day in days
        ]
        events.sort()
        seen = {""}
        for place, (start, end) in enumerate(pairwise(edges)):
            inside = [event for event in events if start <= event[0] < end]
            before = [event for event in events if event[0] < start]
            value = None
            if kind is Aggregation.MAX and inside:
                value = max(quantity for _, _, quantity, _ in inside)
            if kind is Aggregation.UNIQUE:
                new = {user for _, _, _, user in inside} - seen
                seen |= new
                value = D(len(new)) if new else None
            if kind is Aggregation.LATEST and before + inside:
                value = (before + inside)[-1][2]
            if kind is Aggregation.TIME_WEIGHTED_SUM and before + inside:
                level, since, held = before[-1][2] if before else D(0), start, Fraction(0)
                for at, _, quantity, _ in [*inside, (end, "", D(0), "")]:
                    held += Fraction(level) * ((at - since) // timedelta(microseconds=1))
                    level, since = quantity, at
                whole = (edges[-1] - edges[0]) // timedelta(microseconds=1)
                exact = held / whole
                value = (D(exact.numerator) / D(exact.denominator)).quantize(D("0.000001"), ROUND_HALF_UP)
            if value is not None:
                found[customer, place, kind, in_bucket] = value
    return found


@pytest.mark.drawn
def test_any_history_comes_to_what_following_it_on_paper_does(session):
    ids = [a_customer(session, f"C{place}", time_zone=zone) for place, zone in enumerate(ZONES)]
    kinds = {a_meter(session, kind): kind for kind in FROM_EVENTS}
    for kind in FROM_EVENTS:
        filters = {"region": ["eu"]}
        meters.add_bucket(session, SYSTEM, kind.value, code="eu", name="EU", filters=filters, now=NOW)
    with arriving([*(kind.value for kind in FROM_EVENTS), "withdrawn", "cut"]) as arrived:

        @settings(max_examples=25)
        @given(
            st.lists(TOLD, min_size=4, max_size=16),
            st.sets(st.integers(0, 15), max_size=2),
            st.sets(st.integers(2, 31), max_size=2),
        )
        def any_history(told, takings, cuts):
            with session.begin_nested() as savepoint:
                events = [
                    {
                        "id": f"{number:03}",
                        "customer_ref": f"C{customer}",
                        "time": at.isoformat(),
                        "meter": kind.value,
                        "quantity": quantity,
                        "user": user,
                        "properties": {"region": region},
                    }
                    for number, (customer, kind, at, quantity, user, region) in enumerate(told)
                ]
                later = datetime(2026, 4, 20, tzinfo=UTC)
                assert ingestion.record(session, SYSTEM, events, now=later).accepted == len(told)
                for taking in sorted(takings):
                    if taking < len(told):
                        withdrawal.withdraw(
                            session, SYSTEM, ids[told[taking][0]], f"{taking:03}", reason="A test", now=NOW
                        )
                        arrived("withdrawn")
                check(told, takings, sorted(date(2026, 3, day) for day in cuts))
                savepoint.rollback()
            session.expire_all()

        def check(told, takings, cuts):
            starts = [date(2026, 3, 1), *cuts]
            ends = [cut - timedelta(days=1) for cut in cuts] + [date(2026, 3, 31)]
            stretches = [Stretch(id_, a, b) for id_ in ids for a, b in zip(starts, ends, strict=True)]
            # In their places, so that ties are decided as by the events' ids.
            left = [None if number in takings else one for number, one in enumerate(told)]
            expected = {}
            paper = on_paper_of(left, cuts)
            for (customer, place, kind, in_bucket), value in paper.items():
                expected[customer * len(starts) + place, kind, in_bucket] = value
                arrived(kind.value)
            if cuts:
                arrived("cut")
            found = found_in(session, stretches)
            assert {(one.place, kinds[one.meter_id], one.bucket_id != 0): one.quantity for one in found} == expected

        def on_paper_of(left, cuts):
            kept = [one for one in left if one is not None]
            return on_paper(kept, ZONES, cuts)

        any_history()


def test_usage_of_such_a_meter_is_still_told_in_calls_and_quantities(session, acme):
    a_meter(session, Aggregation.MAX)
    for at, quantity in (("03-10T00:00", "2"), ("03-11T00:00", "5")):
        tell(session, "max", at, quantity)
    window = {"start": datetime(2026, 3, 1, tzinfo=UTC), "end": datetime(2026, 3, 31, tzinfo=UTC)}
    usage = queries.usage_of(session, SYSTEM, acme, **window, meter="max")
    assert (usage.calls, usage.quantity) == (2, 7)
