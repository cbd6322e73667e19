"""Programs that tell of the same use in the same moment, and whoever takes it back meanwhile."""

from datetime import date
from functools import partial

import pytest
from sqlalchemy import func, select, text

from billing_core.dates import Period
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering.ingestion import Recorded
from billing_core.metering.models import (
    Aggregation,
    LateItem,
    Meter,
    UsageDay,
    UsagePeriod,
    UsageUser,
    ZoneKind,
)
from billing_core.metering.quantities import from_events
from billing_core.metering.quantities.stretches import Stretch
from tests.at_once import at_once
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, calls, record, used, wrong_in

pytestmark = pytest.mark.slow


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session)


def a_batch(first: int, last: int, *, month: int = 3, step: int = 1):
    """Of ten users, from the one number to the other."""
    return [
        an_event(str(number), user=f"user {number % 10}", time=f"2026-{month:02}-10T10:00:00Z")
        for number in range(first, last, step)
    ]


def test_a_batch_sent_by_several_at_once_is_counted_once(sessions, acme):
    batch = a_batch(0, 300)
    works = [partial(record, sessions, *batch), partial(record, sessions, *reversed(batch))] * 2
    recorded = at_once(*works)
    assert sorted((one.accepted, one.repeated) for one in recorded) == [(0, 300)] * 3 + [(300, 0)]
    assert used(sessions, acme) == calls(300, users=10)


def test_batches_that_overlap_are_counted_once(sessions, acme):
    ways = [(start, way) for start in (0, 100) for way in (1, -1)]
    recorded = at_once(*(partial(record, sessions, *a_batch(start, start + 200)[::way]) for start, way in ways))
    assert (sum(one.accepted for one in recorded), sum(one.repeated for one in recorded)) == (300, 500)
    assert used(sessions, acme) == calls(300, users=10)
    with sessions() as session:
        assert wrong_in(session) == []


def test_of_two_contents_of_one_id_at_once_one_is_kept(sessions, acme):
    batches = [[an_event(str(number), user=user) for number in range(50)] for user in ("ana", "ben")]
    recorded = at_once(*(partial(record, sessions, *batch) for batch in batches))
    assert sorted((one.accepted, len(one.refused)) for one in recorded) == [(0, 50), (50, 0)]
    assert used(sessions, acme) == calls(50, users=1)


def test_a_new_month_begun_by_several_at_once_begins_once(sessions, acme):
    batches = [
        [an_event(f"{start} {month}", time=f"2025-{month:02}-01T00:00:00Z") for month in range(1, 13)]
        for start in range(4)
    ]
    recorded = at_once(*(partial(record, sessions, *batch) for batch in batches))
    assert [one.accepted for one in recorded] == [12] * 4
    assert used(sessions, acme, start=NOW.replace(year=2025, month=1, day=1, hour=0)) == calls(48)


def test_many_small_batches_at_once_add_up(sessions, acme):
    """All of the same users, whose totals each of them changes."""

    def tell(place: int) -> list[Recorded]:
        return [record(sessions, *a_batch(first + place, first + 40, step=4)) for first in range(0, 200, 40)]

    for recorded in at_once(*(partial(tell, place) for place in range(4))):
        assert [one.accepted for one in recorded] == [10] * 5
    assert used(sessions, acme) == calls(200, users=10)
    with sessions() as session:
        assert wrong_in(session) == []


def test_an_event_is_withdrawn_once_by_two_at_once(sessions, acme):
    record(sessions, *a_batch(0, 20))

    def withdraw():
        with sessions.begin() as session:
            return withdrawal.withdraw(session, SYSTEM, acme, "3", reason="Told twice", now=NOW)

    outcomes = at_once(withdraw, withdraw)
    assert [isinstance(outcome, Conflict) for outcome in outcomes].count(True) == 1
    assert used(sessions, acme) == calls(19, users=10)


def test_what_is_told_while_an_event_is_withdrawn_is_counted(sessions, acme):
    """The user's first event goes while an earlier one comes."""
    record(sessions, an_event("first", user="ana", time="2026-03-10T10:00:00Z"), an_event("last", user="ana", time=NOW))

    def withdraw():
        with sessions.begin() as session:
            withdrawal.withdraw(session, SYSTEM, acme, "first", reason="Told twice", now=NOW)

    at_once(withdraw, partial(record, sessions, an_event("earlier", user="ana", time="2026-03-09T10:00:00Z")))
    with sessions() as session:
        assert session.scalars(select(UsageUser.first_seen_at)).one() == NOW.replace(day=9, hour=10)
        assert wrong_in(session) == []


def test_who_reads_does_not_hold_up_the_first_event_of_a_month(sessions, acme):
    """A long read of the events, such as that of a backup, must not stop programs from telling of a new month."""
    record(sessions, an_event("1"))
    with sessions() as reading:
        used_before = reading.execute(text("SELECT count(*) FROM usage_events")).scalar()
        with sessions.begin() as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(text("SET LOCAL lock_timeout = '5s'"))
            ingestion.record(session, SYSTEM, [an_event("2", time="2026-02-01T00:00:00Z")], now=NOW)
        assert used_before == 1
    assert used(sessions, acme, start=NOW.replace(month=1)) == calls(2)


def test_buckets_changed_while_usage_comes_in_and_is_taken_back_hold_every_event(sessions, acme):
    record(sessions, *(an_event(f"old {number}", properties={"region": "eu"}) for number in range(60)))

    def tell() -> None:
        for number in range(20):
            record(sessions, an_event(f"new {number}", properties={"region": ("eu", "us")[number % 2]}))

    def take_back() -> None:
        for number in range(20):
            with sessions.begin() as session:
                withdrawal.withdraw(session, SYSTEM, acme, f"old {number}", reason="A test", now=NOW)

    def bucket(region: str) -> None:
        facts = {"code": region, "name": region, "filters": {"region": [region]}, "now": NOW}
        with sessions.begin() as session:
            meters.add_bucket(session, SYSTEM, "api_calls", **facts)

    outcomes = at_once(tell, take_back, partial(bucket, "eu"), partial(bucket, "us"))
    assert outcomes == [None] * 4
    with sessions() as session:
        assert wrong_in(session) == []
        ids = {bucket.code: bucket.id for bucket in meters.rows(session, SYSTEM)[0].buckets}
        kept = select(UsageDay.bucket_id, UsageDay.calls).where(UsageDay.zone_kind == ZoneKind.UTC)
        # Of 60 old and 10 new ones 20 were taken back.
        assert dict(session.execute(kept).all()) == {ids["eu"]: 50, ids["us"]: 10}


def test_late_quantities_told_at_once_change_a_bill_one_after_the_other(sessions, acme):
    """Each of them holds in the billed month after it, or is the greatest of its own, until the others are known."""
    with sessions.begin() as session:
        kinds = (Aggregation.LATEST, Aggregation.MAX, Aggregation.TIME_WEIGHTED_SUM, Aggregation.UNIQUE)
        for kind in kinds:
            meters.create(session, SYSTEM, code=kind.value, name=kind.value, aggregation=kind, unit="unit", now=NOW)
        facts = {"first_day": date(2026, 2, 1), "last_day": date(2026, 2, 28), "billed_at": NOW}
        session.add(UsagePeriod(customer_id=acme, **facts))

    def tell(place: int) -> None:
        for number in range(5):
            day = f"2026-0{1 + number % 2}-{10 + place + number}T00:00:00Z"
            told = {"time": day, "user": f"user {number}", "quantity": 10 * number + place}
            batch = [an_event(f"{kind} {place} {number}", meter=kind.value, **told) for kind in kinds]
            record(sessions, *batch)

    assert at_once(*(partial(tell, place) for place in range(4))) == [None] * 4
    with sessions() as session:
        assert wrong_in(session) == []
        changed = select(Meter.aggregation, func.sum(LateItem.quantity)).join(Meter, Meter.id == LateItem.meter_id)
        found = dict(session.execute(changed.group_by(Meter.aggregation)).all())
        period, every = Period(date(2026, 2, 1), date(2026, 2, 28)), session.scalars(select(Meter)).all()
        used = from_events.used(session, [Stretch(acme, period.start, period.end)], period, every)
        names = {meter.id: meter.aggregation for meter in every}
        # Nothing was billed of them: what all changed together is what they come to.
        assert found == {names[one.meter_id]: one.quantity for one in used}
