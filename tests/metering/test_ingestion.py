"""Batches of events: kept once, counted once, refused with index and field."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.metering import ingestion, queries, withdrawal
from billing_core.metering.ingestion import Recorded
from billing_core.metering.late import listing
from billing_core.metering.models import (
    Aggregation,
    Meter,
    UsageDay,
    UsageEvent,
    UsageEventKey,
    UsagePeriod,
    ZoneKind,
)
from billing_core.metering.queries import Usage
from tests.database.counting import statements
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, calls, record, used, wrong_in


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session)


def how_many(sessions, *tables) -> list[int]:
    with sessions() as session:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def test_a_batch_is_counted_once_however_often_it_comes(sessions, acme):
    batch = [
        an_event("1", user="ana", response_time=Decimal("0.4")),
        an_event("2", user="ben", response_time=Decimal("0.044001"), quantity=Decimal("2.5")),
        an_event("3", user="ana", quantity=0),
        an_event("4"),
    ]
    counted = Usage(2, 2, 4, Decimal("4.5"), Decimal("0.444001"), 2)

    assert record(sessions, *batch) == Recorded(4, 0, 0, ())
    assert used(sessions, acme) == counted
    assert record(sessions, *batch) == Recorded(0, 4, 0, ())
    assert record(sessions, *batch, an_event("5")) == Recorded(1, 4, 0, ())
    assert used(sessions, acme) == Usage(2, 2, 5, Decimal("5.5"), Decimal("0.444001"), 2)
    with sessions() as session:
        assert wrong_in(session) == []


def test_an_event_twice_in_a_batch_is_a_repeat(sessions, acme):
    assert record(sessions, an_event("1"), an_event("2"), an_event("1")) == Recorded(2, 1, 0, ())
    assert used(sessions, acme) == calls(2)


def test_two_events_of_one_id_in_a_batch_are_one_event_and_a_refusal_that_names_it(sessions, acme):
    recorded = record(sessions, an_event("0"), an_event("1"), an_event("1", user="ana"))
    (refused,) = recorded.refused
    assert (recorded.accepted, refused.index, list(refused.fields), refused.taken) == (2, 2, ["id"], True)
    assert refused.error == "id “1” is also that of event 1 of this batch, which has other content"
    assert used(sessions, acme) == calls(2)


def test_an_id_keeps_its_content_for_ever(sessions, acme):
    record(sessions, an_event("1", user="ana"))
    recorded = record(
        sessions, an_event("2"), an_event("1", user="ben"), an_event("1", user="ana"), an_event("1", user="eve")
    )
    assert (recorded.accepted, recorded.repeated, recorded.late) == (1, 1, 0)
    assert [(refused.index, refused.error, refused.taken) for refused in recorded.refused] == [
        (index, "id “1” is also that of an event of 2026-03-10T10:00:00+00:00, which has other content", True)
        for index in (1, 3)
    ]
    assert used(sessions, acme) == calls(2, users=1)


def test_ids_belong_to_their_customer_and_keep_their_case(sessions, acme):
    with sessions.begin() as session:
        other = a_customer(session, "OTHER")
    batch = [an_event("a"), an_event("A"), an_event("a "), an_event("a", customer_ref="OTHER", user="ana")]
    # Outer spaces belong to no id.
    assert record(sessions, *batch) == Recorded(3, 1, 0, ())
    assert (used(sessions, acme), used(sessions, other)) == (calls(2), calls(1, users=1))


def test_an_organization_is_named_by_uuid_by_id_or_by_our_key(sessions, acme):
    with sessions() as session:
        customer = session.get_one(Customer, acme)
    names = [customer.uuid, customer.public_id, "ACME"]
    batch = [{"id": name, "organization_id": name, "time": NOW} for name in names]
    assert record(sessions, *batch, an_event("4")) == Recorded(4, 0, 0, ())
    # However it is named, it is the same organization, and so are its ids.
    again = [{"id": names[0], "organization_id": name, "time": NOW} for name in names]
    assert record(sessions, *again) == Recorded(0, 3, 0, ())
    by_ref = record(sessions, *({"id": name, "customer_ref": name, "time": NOW} for name in names[:2]))
    assert [refused.fields for refused in by_ref.refused] == [
        {"customer_ref": f"“{name}” is no organization that we know"} for name in names[:2]
    ]


def test_a_key_of_ours_keeps_its_case_beside_a_uuid_that_does_not(sessions, acme):
    with sessions.begin() as session:
        uuid = session.get_one(Customer, acme).uuid
        other = a_customer(session, uuid.upper())
        lower = a_customer(session, "beta")
    named = [{"id": name, "organization_id": name, "time": NOW} for name in (uuid, uuid.upper())]
    by_key = {"id": "1", "customer_ref": uuid.upper(), "time": NOW}
    recorded = record(sessions, *named, by_key, {"id": "1", "organization_id": "BETA", "time": NOW})
    assert [refused.index for refused in recorded.refused] == [3]
    assert (used(sessions, acme), used(sessions, other), used(sessions, lower)) == (calls(2), calls(1), calls(0))


def test_ids_that_no_address_can_name_are_refused_unless_they_were_taken_before(sessions, acme, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(ingestion, "UNADDRESSABLE", frozenset())
        record(sessions, an_event("."))
    with sessions.begin() as session:
        a_customer(session, "OTHER")
    batch = [an_event("."), an_event(".", user="ana"), an_event(".."), an_event(".", customer_ref="OTHER")]
    recorded = record(sessions, *batch)
    # Taken for ever: the same is a repeat, and other content a conflict.
    assert (recorded.accepted, recorded.repeated) == (0, 1)
    assert [(refused.index, refused.taken) for refused in recorded.refused] == [(1, True), (2, False), (3, False)]
    assert used(sessions, acme) == calls(1)
    with sessions.begin() as session:
        assert withdrawal.withdraw(session, SYSTEM, acme, ".", reason="Twice", now=NOW).event_id == "."


def test_a_customer_whose_key_is_anothers_id_does_not_get_the_others_events(sessions, acme):
    with sessions.begin() as session:
        uuid = session.get_one(Customer, acme).uuid
        impostor = a_customer(session, uuid)
    assert record(sessions, {"id": "1", "organization_id": uuid, "time": NOW}).accepted == 1
    assert (used(sessions, acme), used(sessions, impostor)) == (calls(1), calls(0))


def test_what_is_not_known_is_named_with_its_index(sessions, acme):
    recorded = record(
        sessions,
        an_event("1", customer_ref="NOBODY"),
        an_event("2", meter="storage"),
        an_event("3", quantity=-1),
        an_event("4"),
        {"id": "5", "organization_id": "00000000-0000-0000-0000-000000000000", "time": NOW, "meter": "x"},
    )
    assert recorded.accepted == 1
    assert [(refused.index, refused.error) for refused in recorded.refused] == [
        (0, "customer_ref “NOBODY” is no organization that we know"),
        (1, "meter “storage” is no meter that we know"),
        (2, "quantity must not be negative"),
        (
            4,
            "organization_id “00000000-0000-0000-0000-000000000000” is no organization that we know; "
            "meter “x” is no meter that we know",
        ),
    ]
    assert used(sessions, acme) == calls(1)


def test_a_refused_event_takes_no_id(sessions, acme):
    record(sessions, an_event("1", quantity=-1), an_event("2", meter="storage"))
    assert record(sessions, an_event("1"), an_event("2")) == Recorded(2, 0, 0, ())


@pytest.mark.parametrize(
    ("bad", "kind", "fields"),
    [
        (an_event("3", quantity=-1), Invalid, {"events.1.quantity": "must not be negative"}),
        (an_event("3", customer_ref="X"), Invalid, {"events.1.customer_ref": "“X” is no organization that we know"}),
        (
            an_event("kept", user="ana"),
            Conflict,
            {"events.1.id": "“kept” is also that of an event of 2026-03-10T10:00:00+00:00, which has other content"},
        ),
        (
            an_event("2", user="ana"),
            Conflict,
            {"events.1.id": "“2” is also that of event 0 of this batch, which has other content"},
        ),
        ("event", Invalid, {"events.1": "An event is an object with an id, an organization and a time"}),
    ],
)
def test_all_or_nothing(sessions, acme, bad, kind, fields):
    record(sessions, an_event("kept"))
    before = how_many(sessions, UsageEvent, UsageEventKey, UsageDay, AuditEntry)
    with pytest.raises(kind) as refused:
        record(sessions, an_event("2"), bad, atomic=True)
    assert refused.value.fields == fields
    assert str(refused.value).startswith("Nothing was kept. Event 1: ")
    assert how_many(sessions, UsageEvent, UsageEventKey, UsageDay, AuditEntry) == before
    assert record(sessions, an_event("2"), an_event("kept"), atomic=True) == Recorded(1, 1, 0, ())


def test_a_batch_has_at_most_ten_thousand_events(sessions, acme):
    batch = [an_event(str(number), user=f"user {number % 3}") for number in range(10_001)]
    with pytest.raises(Invalid) as refused:
        record(sessions, *batch)
    assert refused.value.fields == {"events": "are 10,001"}
    assert record(sessions, *batch[1:]) == Recorded(10_000, 0, 0, ())
    assert used(sessions, acme) == calls(10_000, users=3)


def test_an_empty_batch_is_nothing(sessions, acme):
    assert record(sessions) == Recorded(0, 0, 0, ())
    assert how_many(sessions, UsageEvent, AuditEntry) == [0, 0]


def test_sums_are_exact_beyond_what_an_integer_of_the_database_holds(sessions, acme):
    """Ten thousand of the largest quantities are 10^13 units, which are 10^19 millionths."""
    largest = Decimal("999999999.999999")
    for half in ("a", "b"):
        record(sessions, *(an_event(f"{half}{number}", quantity=largest) for number in range(5_000)))
    assert used(sessions, acme).quantity == 10_000 * largest
    # The window's raw edge comes to the same.
    noon = NOW.replace(day=10)
    assert used(sessions, acme, start=noon - timedelta(hours=6), end=noon).quantity == 10_000 * largest


def test_an_event_of_a_billed_period_is_late(sessions):
    """March was billed, in New York's days: 1 March 05:00 UTC to 1 April 04:00 UTC."""
    with sessions.begin() as session:
        acme = a_customer(session, time_zone="America/New_York")
        session.add(
            UsagePeriod(customer_id=acme, first_day=date(2026, 3, 1), last_day=date(2026, 3, 19), billed_at=NOW)
        )
    recorded = record(
        sessions,
        an_event("before", time="2026-03-01T04:59:59.999999Z"),
        an_event("first", time="2026-03-01T05:00:00Z"),
        an_event("last", time="2026-03-20T03:59:59.999999Z"),
        an_event("after", time="2026-03-20T04:00:00Z"),
    )
    assert recorded == Recorded(4, 0, 2, ())
    with sessions() as session:
        assert [row.id for row in listing.late_events(session, SYSTEM)] == ["first", "last"]
        assert [
            row.id for row in listing.late_events(session, SYSTEM, limit=1, after_event=(acme, NOW.replace(day=2), ""))
        ] == ["last"]
    # A repeat is not late once more.
    assert record(sessions, an_event("first", time="2026-03-01T05:00:00Z")) == Recorded(0, 1, 0, ())


def test_a_batch_leaves_one_trace_and_a_repeated_one_none(sessions, acme):
    for _ in range(2):
        record(sessions, an_event("1"), an_event("2"), an_event("3", quantity=-1))
    with sessions() as session:
        (entry,) = session.scalars(select(AuditEntry))
        assert (entry.action, entry.subject_kind) == ("usage.write", "usage_batch")
        assert entry.after == {"accepted": 2, "repeated": 0, "late": 0, "refused": 1}
        (batch,) = session.scalars(select(UsageEventKey.batch).distinct())
        assert entry.subject_id == str(batch)


def test_only_who_may_write_usage_of_everybody_records_it(sessions, acme):
    bound = Actor(1, "Bound", frozenset(Permission), customer_id=acme)
    for actor in (
        bound,
        actor_with(Role.ADMIN, user_id=None, name="Own", customer_id=acme),
        actor_with(Role.MANAGER, user_id=None, name="Manager"),
    ):
        with pytest.raises(Forbidden), sessions.begin() as session:
            ingestion.record(session, actor, [an_event()], now=NOW)
    assert used(sessions, acme) == calls(0)


def test_a_meter_of_another_name_is_counted_by_itself(sessions, acme):
    with sessions.begin() as session:
        session.add(Meter(code="storage", name="Storage", aggregation=Aggregation.SUM, unit="GB"))
    record(sessions, an_event("1", meter="storage", quantity=Decimal("0.5"), user="ana"), an_event("2", user="ben"))
    assert used(sessions, acme) == Usage(2, 1, 1, Decimal(1), Decimal(0), 0)
    with sessions() as session:
        stored = queries.usage_of(session, SYSTEM, acme, start=NOW.replace(day=1), end=NOW, meter="storage")
        assert stored == Usage(2, 1, 1, Decimal("0.5"), Decimal(0), 0)


def test_the_number_of_statements_does_not_grow_with_the_batch(sessions, acme):
    record(sessions, an_event("first"))
    counted = []
    for size in (1, 500):
        with statements(sessions.engine) as seen:
            record(sessions, *(an_event(f"{size} {number}", user=str(number)) for number in range(size)))
        counted.append(len(seen))
    assert counted[0] == counted[1]


def test_days_are_kept_in_utc_and_in_the_billing_zone(sessions):
    with sessions.begin() as session:
        a_customer(session, time_zone="Asia/Kathmandu")
    record(sessions, an_event("1", time="2026-03-10T18:14:59.999999Z"), an_event("2", time="2026-03-10T18:15:00Z"))
    with sessions() as session:
        days = select(UsageDay.zone_kind, UsageDay.day, UsageDay.calls).order_by(UsageDay.zone_kind, UsageDay.day)
        assert [tuple(row) for row in session.execute(days)] == [
            (ZoneKind.BILLING, date(2026, 3, 10), 1),
            (ZoneKind.BILLING, date(2026, 3, 11), 1),
            (ZoneKind.UTC, date(2026, 3, 10), 2),
        ]
