"""Meters, their buckets, and which event falls into which."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.metering import buckets, ingestion, meters, rollups, withdrawal
from billing_core.metering.models import NO_BUCKET, Aggregation, Meter, MeterBucket, UsageDay, UsageEvent, UsagePeriod
from tests.arrivals import arriving
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, wrong_in

D = Decimal


def a_bucket(session, code, meter="api_calls", **filters):
    return meters.add_bucket(session, SYSTEM, meter, code=code, name=code.title(), filters=filters, now=NOW)


def record(session, *events):
    recorded = ingestion.record(session, SYSTEM, events, now=NOW)
    assert recorded.refused == ()


def placed(session):
    """The code of each event's bucket, and those of its days agree."""
    codes = dict(session.execute(select(MeterBucket.id, MeterBucket.code)).all())
    events = session.execute(select(UsageEvent.event_id, UsageEvent.bucket_id).order_by(UsageEvent.event_id))
    assert wrong_in(session) == []
    return {event: codes.get(bucket) for event, bucket in events}


def days(session):
    kept = select(UsageDay.bucket_id, func.sum(UsageDay.calls)).where(UsageDay.zone_kind == "utc")
    return {bucket: int(calls) for bucket, calls in session.execute(kept.group_by(UsageDay.bucket_id))}


@pytest.fixture
def acme(session) -> int:
    return a_customer(session, time_zone="America/New_York")


def test_an_event_falls_into_the_bucket_that_names_the_most_of_its_properties(session, acme):
    a_bucket(session, "eu", region=["eu"])
    a_bucket(session, "eu-gold", region=["eu"], tier=["gold"])
    a_bucket(session, "any-gold", tier=["gold", "platinum"])
    record(
        session,
        an_event("1", properties={"region": "eu"}),
        an_event("2", properties={"region": "eu", "tier": "gold"}),
        an_event("3", properties={"region": "us", "tier": "gold"}),
        # As many properties: the one that allows fewer values.
        an_event("4", properties={"region": "eu", "tier": "platinum"}),
        an_event("5", properties={"region": "us"}),
        an_event("6"),
    )
    assert placed(session) == {"1": "eu", "2": "eu-gold", "3": "any-gold", "4": "eu", "5": None, "6": None}


def test_of_equally_specific_buckets_the_oldest_takes_an_event(session, acme):
    for code, filters in (("old", {"a": ["x"]}), ("young", {"b": ["y"]})):
        a_bucket(session, code, **filters)
    record(session, an_event("1", properties={"a": "x", "b": "y"}), an_event("2", properties={"b": "y"}))
    assert placed(session) == {"1": "old", "2": "young"}


@pytest.mark.parametrize(
    ("allowed", "told", "falls_in"),
    [
        ("eu", "eu", True),
        ("eu", "EU", False),
        ("1", 1, False),
        (1, 1, True),
        (D("1.50"), D("1.5"), True),
        (1, D("1.0"), True),
        (D("0.1"), D("0.10000000000000000001"), False),
        (True, True, True),
        (True, 1, False),
        (True, "true", False),
        ("", "", True),
        ('say "é"\\ \n\t', 'say "é"\\ \n\t', True),
        ("😀/\u2028", "😀/\u2028", True),
        ("[1, 2]", [1, 2], False),
        ("null", None, False),
    ],
)
def test_values_are_equal_as_json_has_them(session, acme, allowed, told, falls_in):
    a_bucket(session, "one", **{"a.b ünd [0]": [allowed]})
    record(session, an_event("1", properties={"a.b ünd [0]": told}), an_event("2", properties={"a": {"b": told}}))
    assert placed(session) == {"1": "one" if falls_in else None, "2": None}


def test_a_bucket_is_its_meters_own(session, acme):
    for code in ("mails", "texts"):
        meters.create(session, SYSTEM, code=code, name=code, aggregation=Aggregation.COUNT, unit="message", now=NOW)
        a_bucket(session, "eu", code, region=["eu"])
    record(
        session,
        *(an_event(meter, meter=meter, properties={"region": "eu"}) for meter in ("api_calls", "mails", "texts")),
    )
    assert placed(session) == {"api_calls": None, "mails": "eu", "texts": "eu"}
    assert sorted(days(session).values()) == [1, 1, 1]


def test_other_buckets_move_the_events_and_their_days(session, acme):
    record(
        session,
        an_event("1", user="ana", properties={"region": "eu"}),
        an_event("2", user="ana", quantity=D("2.5"), properties={"region": "us"}),
        an_event("3", user="ben", properties={"region": "eu"}),
    )
    withdrawal.withdraw(session, SYSTEM, acme, "3", reason="A test", now=NOW)
    assert days(session) == {NO_BUCKET: 2}

    eu = a_bucket(session, "eu", region=["eu"])
    assert placed(session) == {"1": "eu", "2": None, "3": "eu"}
    assert days(session) == {NO_BUCKET: 1, eu.id: 1}

    meters.change_bucket(
        session, SYSTEM, "api_calls", "eu", name="Not the EU", filters={"region": ["us", "jp"]}, now=NOW
    )
    assert placed(session) == {"1": None, "2": "eu", "3": None}
    assert days(session) == {NO_BUCKET: 1, eu.id: 1}

    meters.retire_bucket(session, SYSTEM, "api_calls", "eu", now=NOW)
    assert placed(session) == {"1": None, "2": None, "3": None}
    assert days(session) == {NO_BUCKET: 2}
    record(session, an_event("4", properties={"region": "us"}))
    assert placed(session)["4"] is None

    traces = session.scalars(select(AuditEntry).where(AuditEntry.action == "meter.change").order_by(AuditEntry.id))
    assert [trace.after["moved_events"] for trace in traces] == [2, 3, 1]


def test_events_of_billed_periods_stay_in_their_buckets(session, acme):
    # Billed are New York's days up to 10 March, which ends at 04:00 UTC of the 11th.
    session.add(UsagePeriod(customer_id=acme, first_day=date(2026, 3, 1), last_day=date(2026, 3, 10), billed_at=NOW))
    session.flush()
    eu = {"region": "eu"}
    record(
        session,
        an_event("billed", time="2026-03-11T03:59:59Z", properties=eu),
        an_event("open", time="2026-03-11T04:00:00Z", properties=eu),
        an_event("before", time="2026-03-01T04:59:59Z", properties=eu),
    )
    bucket = a_bucket(session, "eu", region=["eu"])
    assert placed(session) == {"billed": None, "open": "eu", "before": "eu"}
    assert days(session) == {NO_BUCKET: 1, bucket.id: 2}
    record(session, an_event("late", time="2026-03-10T12:00:00Z", properties=eu))
    assert placed(session)["late"] == "eu"

    meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.COUNT, unit="mail", now=NOW)
    foreign = a_bucket(session, "us", "mails", region=["us"])
    session.execute(update(UsageEvent).where(UsageEvent.event_id == "billed").values(bucket_id=foreign.id))
    rollups.rebuild(session)
    assert wrong_in(session) == ["customer ACME, event “billed”"]


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"a": []},
        {"a": "text"},
        {"a": [None]},
        {"a": [["x"]]},
        {"a": [D("NaN")]},
        {"a": ["x\0"]},
        {"": ["x"]},
        {'a"b': ["x"]},
        {"a\\b": ["x"]},
        {"a\n": ["x"]},
        {"a" * 101: ["x"]},
        {"a": [str(number) for number in range(51)]},
        {str(number): ["x"] for number in range(11)},
    ],
)
def test_filters_that_cannot_be_are_refused(session, filters):
    with pytest.raises(Invalid) as refused:
        meters.add_bucket(session, SYSTEM, "api_calls", code="x", name="X", filters=filters, now=NOW)
    assert list(refused.value.fields) == ["filters"]


def test_the_most_that_filters_may_name_is_kept(session, acme):
    filters = {f"{number}" * 100: [f"{value}" for value in range(50)] for number in range(10)}
    a_bucket(session, "wide", **filters)
    record(session, an_event("1", properties=dict.fromkeys(filters, "49")))
    assert placed(session) == {"1": "wide"}


def test_a_bucket_no_event_could_fall_into_is_refused(session):
    a_bucket(session, "eu", region=["eu", "uk"])
    with pytest.raises(Conflict, match="bucket eu of API calls has these filters"):
        a_bucket(session, "twin", region=["uk", "eu"])
    with pytest.raises(Conflict, match="already a bucket with the code eu"):
        a_bucket(session, "eu", region=["us"])
    a_bucket(session, "us", region=["us"])
    with pytest.raises(Conflict, match="bucket eu of"):
        meters.change_bucket(session, SYSTEM, "api_calls", "us", name="Us", filters={"region": ["eu", "uk"]}, now=NOW)
    with pytest.raises(Invalid, match="Nothing would change"):
        meters.change_bucket(session, SYSTEM, "api_calls", "us", name="Us", filters={"region": ["us"]}, now=NOW)


def test_what_there_is_not_is_not_found(session):
    with pytest.raises(NotFound, match="no meter mails"):
        a_bucket(session, "eu", "mails", region=["eu"])
    for change in (
        lambda: meters.retire_bucket(session, SYSTEM, "api_calls", "eu", now=NOW),
        lambda: meters.change_bucket(session, SYSTEM, "api_calls", "eu", name="E", filters={"a": ["b"]}, now=NOW),
    ):
        with pytest.raises(NotFound, match="API calls has no bucket eu"):
            change()


def test_meters_are_created_once_renamed_and_listed_with_their_buckets(session):
    made = meters.create(
        session, SYSTEM, code=" mails ", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW
    )
    with pytest.raises(Conflict, match="already a meter with the code mails"):
        meters.create(session, SYSTEM, code="mails", name="X", aggregation=Aggregation.SUM, unit="x", now=NOW)
    renamed = meters.rename(session, SYSTEM, "mails", name="E-mails", unit="message", now=NOW)
    assert (renamed.code, renamed.name, renamed.unit) == ("mails", "E-mails", "message")
    with pytest.raises(Invalid, match="Nothing would change"):
        meters.rename(session, SYSTEM, "mails", name="E-mails", unit="message", now=NOW)
    for code, filters in (("old", {"a": ["x"]}), ("wide", {"a": ["y", "x"]}), ("deep", {"b": [True], "a": ["x"]})):
        a_bucket(session, code, "mails", **filters)
    meters.retire_bucket(session, SYSTEM, "mails", "deep", now=NOW)

    calls, mails = meters.rows(session, SYSTEM)
    assert (calls.code, calls.aggregation, calls.buckets) == ("api_calls", Aggregation.COUNT, ())
    assert (mails.id, mails.code, mails.name, mails.aggregation, mails.unit) == (
        made.id,
        "mails",
        "E-mails",
        Aggregation.SUM,
        "message",
    )
    assert [(one.code, one.filters, one.retired_at) for one in mails.buckets] == [
        ("old", {"a": ['"x"']}, None),
        ("wide", {"a": ['"x"', '"y"']}, None),
        ("deep", {"a": ['"x"'], "b": ["true"]}, NOW),
    ]


def test_there_may_be_200_meters_with_100_buckets_each(session):
    facts = {"name": "N", "aggregation": Aggregation.COUNT, "unit": "u"}
    session.add_all(Meter(code=f"meter-{number}", **facts) for number in range(198))
    calls = session.scalars(select(Meter.id).where(Meter.code == "api_calls")).one()
    for number in range(99):
        filters = buckets.filters_of({"region": [number]})
        session.add(MeterBucket(meter_id=calls, code=f"bucket-{number}", name="N", filters=filters))
    meters.create(session, SYSTEM, code="last", **facts, now=NOW)
    with pytest.raises(Conflict, match="200 meters already"):
        meters.create(session, SYSTEM, code="one more", **facts, now=NOW)
    a_bucket(session, "eu", region=["eu"])
    with pytest.raises(Conflict, match="100 buckets already"):
        a_bucket(session, "us", region=["us"])
    meters.retire_bucket(session, SYSTEM, "api_calls", "eu", now=NOW)
    a_bucket(session, "us", region=["us"])


def test_only_admins_of_the_company_change_meters(session, acme):
    a_bucket(session, "eu", region=["eu"])
    for role, customer in ((Role.MANAGER, None), (Role.ADMIN, acme)):
        actor = actor_with(role, user_id=1, name="Mo", customer_id=customer)
        bucket = {"name": "X", "filters": {"a": ["b"]}, "now": NOW}
        for change in (
            lambda actor: meters.create(
                session, actor, code="x", name="X", aggregation=Aggregation.COUNT, unit="x", now=NOW
            ),
            lambda actor: meters.rename(session, actor, "api_calls", name="X", unit="x", now=NOW),
            lambda actor, bucket=bucket: meters.add_bucket(session, actor, "api_calls", code="x", **bucket),
            lambda actor, bucket=bucket: meters.change_bucket(session, actor, "api_calls", "eu", **bucket),
            lambda actor: meters.retire_bucket(session, actor, "api_calls", "eu", now=NOW),
        ):
            with pytest.raises(Forbidden):
                change(actor)
        assert [one.code for one in meters.rows(session, actor)] == ["api_calls"]


PROPERTIES = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", "y", 1, True]), max_size=3)
FILTERS = st.dictionaries(
    st.sampled_from("abc"),
    st.sets(st.sampled_from(["x", "y", 1, True]), min_size=1, max_size=2),
    min_size=1,
    max_size=3,
)


def fitting(buckets, properties):
    """On paper: the place of the bucket, in the order in which they were made, or None."""

    def same(one, other):
        return type(one) is type(other) and one == other

    fits = [
        (-len(filters), sum(map(len, filters.values())), place)
        for place, filters in enumerate(buckets)
        if all(
            name in properties and any(same(value, properties[name]) for value in values)
            for name, values in filters.items()
        )
    ]
    return min(fits)[2] if fits else None


@pytest.mark.drawn
def test_any_events_and_buckets_come_to_what_sorting_on_paper_says(session, acme):
    with arriving(["bucket", "none", "moved"]) as arrived:

        @settings(max_examples=25)
        @given(
            st.lists(FILTERS, min_size=1, max_size=4, unique_by=repr),
            st.lists(PROPERTIES, min_size=1, max_size=8),
            st.integers(0, 8),
        )
        def any_order(filters, told, before):
            with session.begin_nested() as savepoint:
                events = [an_event(str(place), properties=properties) for place, properties in enumerate(told)]
                record(session, *events[:before])
                ids = {None: NO_BUCKET}
                known = []
                for place, one in enumerate(filters):
                    if one not in known:
                        known.append(one)
                        ids[len(known) - 1] = a_bucket(session, str(place), **one).id
                if events[before:]:
                    record(session, *events[before:])
                expected = {str(place): ids[fitting(known, properties)] for place, properties in enumerate(told)}
                kept = session.execute(select(UsageEvent.event_id, UsageEvent.bucket_id))
                assert dict(kept.all()) == expected
                counts = defaultdict(int)
                for bucket in expected.values():
                    counts[bucket] += 1
                    arrived("bucket" if bucket else "none")
                if before:
                    arrived("moved")
                assert days(session) == counts
                assert wrong_in(session) == []
                rollups.rebuild(session)
                assert days(session) == counts
                savepoint.rollback()
            session.expire_all()

        any_order()
