"""An event that was taken back counts nowhere any more."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Actor, Permission
from billing_core.metering import queries, withdrawal
from billing_core.metering.ingestion import Recorded
from billing_core.metering.models import (
    LateItem,
    LateKind,
    UsageArchive,
    UsageArchivedUser,
    UsageDay,
    UsagePeriod,
    UsageUser,
)
from billing_core.metering.queries import Usage
from billing_core.metering.withdrawal import Withdrawn
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, calls, record, used, wrong_in


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session, time_zone="Europe/Berlin")


def withdraw(sessions, customer_id: int, event_id: str, *, actor: Actor = SYSTEM, reason: str = "Told twice"):
    with sessions.begin() as session:
        return withdrawal.withdraw(session, actor, customer_id, event_id, reason=reason, now=NOW)


def first_seen(sessions) -> dict[str, str]:
    with sessions() as session:
        return {user.user: user.first_seen_at.isoformat() for user in session.scalars(select(UsageUser))}


def test_a_withdrawn_event_counts_nowhere_any_more(sessions, acme):
    record(
        sessions,
        an_event("1", user="ana", quantity=Decimal("2.5"), response_time=1),
        an_event("2", user="ana", quantity=7, response_time=Decimal("0.25"), time="2026-03-10T23:30:00Z"),
        an_event("3", user="ben"),
    )
    event = withdraw(sessions, acme, "1", reason="  Told   twice ")
    assert event == Withdrawn(acme, "1", NOW.replace(day=10, hour=10), NOW, "Told twice")
    assert used(sessions, acme) == Usage(2, 2, 2, Decimal(8), Decimal("0.25"), 1)
    with sessions() as session:
        # The raw edge of a window too, in which ana is not seen yet.
        edge = {"start": NOW.replace(day=10, hour=9), "end": NOW.replace(day=10, hour=23)}
        assert queries.usage_of(session, SYSTEM, acme, **edge) == Usage(1, 1, 1, Decimal(1), Decimal(0), 0)
        listed = queries.events(session, SYSTEM, acme, **edge)
        assert [(row.id, row.withdrawn_at, row.withdrawn_reason) for row in listed] == [
            ("1", NOW, "Told twice"),
            ("3", None, None),
        ]
        assert wrong_in(session) == []


def test_whoever_is_left_without_events_was_never_seen(sessions, acme):
    record(sessions, an_event("1", user="ana"), an_event("2", user="ben"))
    withdraw(sessions, acme, "1")
    assert used(sessions, acme) == calls(1, users=1)
    with sessions() as session:
        assert session.scalar(select(func.count()).where(UsageDay.user == "ana")) == 0
    withdraw(sessions, acme, "2")
    assert used(sessions, acme) == calls(0)
    assert first_seen(sessions) == {}


def test_a_user_is_first_seen_at_the_first_event_that_is_left(sessions, acme):
    for day in (12, 10, 11):
        record(
            sessions, *(an_event(f"{day} {hour}", user="ana", time=f"2026-03-{day} {hour}:00") for hour in ("20", "08"))
        )
    assert first_seen(sessions) == {"ana": "2026-03-10T08:00:00+00:00"}
    for event_id, left in (("10 08", "10T20"), ("11 20", "10T20"), ("10 20", "11T08"), ("11 08", "12T08")):
        withdraw(sessions, acme, event_id)
        assert first_seen(sessions) == {"ana": f"2026-03-{left}:00:00+00:00"}
    with sessions() as session:
        assert wrong_in(session) == []


def test_an_event_without_a_user_is_taken_back_too(sessions, acme):
    record(sessions, an_event("1"), an_event("2"))
    withdraw(sessions, acme, "1")
    assert used(sessions, acme) == calls(1)


def test_an_event_is_withdrawn_once(sessions, acme):
    record(sessions, an_event("1"), an_event("2"))
    withdraw(sessions, acme, "1")
    with pytest.raises(Conflict, match="was withdrawn on 2026-03-20 already"):
        withdraw(sessions, acme, "1", reason="Again")
    assert used(sessions, acme) == calls(1)


def test_a_withdrawn_id_stays_taken(sessions, acme):
    record(sessions, an_event("1", user="ana"))
    withdraw(sessions, acme, "1")
    assert record(sessions, an_event("1", user="ana")) == Recorded(0, 1, 0, ())
    assert [refused.taken for refused in record(sessions, an_event("1", user="ben")).refused] == [True]
    assert used(sessions, acme) == calls(0)


@pytest.mark.parametrize(("archived", "since"), [((1, 2), "2026-01-05"), ((2, 1), "2026-01-05"), ((4,), "2026-03-11")])
def test_what_archives_hold_of_a_user_still_counts(archived, since, sessions, acme):
    """Its first event that counts is the earliest of those that are here and those that were taken away."""
    with sessions.begin() as session:
        for place, month in enumerate(archived, start=1):
            month_of = date(2026, month, 1)
            session.add(UsageArchive(id=place, month=month_of, events=1, totals="0" * 64, archived_at=NOW))
            session.flush()
            seen = NOW.replace(month=month, day=5)
            session.add(UsageArchivedUser(archive_id=place, customer_id=acme, user="ana", first_seen_at=seen))
    record(sessions, an_event("1", user="ana"), an_event("2", user="ana", time="2026-03-11T10:00:00Z"))
    withdraw(sessions, acme, "1")
    assert first_seen(sessions)["ana"].startswith(since)


@pytest.mark.parametrize("event_id", ["2", "", "x" * 10_000, "a\0b"])
def test_an_event_that_there_is_not_cannot_be_withdrawn(sessions, acme, event_id):
    record(sessions, an_event("1"))
    with pytest.raises(NotFound):
        withdraw(sessions, acme, event_id)


def test_an_event_is_its_customers(sessions, acme):
    record(sessions, an_event("1"))
    with sessions.begin() as session:
        other = a_customer(session, "OTHER")
    for customer_id in (other, 999):
        with pytest.raises(NotFound):
            withdraw(sessions, customer_id, "1")


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\0b"])
def test_a_reason_is_needed(sessions, acme, reason):
    record(sessions, an_event("1"))
    with pytest.raises(Invalid) as refused:
        withdraw(sessions, acme, "1", reason=reason)
    assert list(refused.value.fields) == ["reason"]
    assert used(sessions, acme) == calls(1)


def test_it_leaves_a_trace_and_needs_the_permission(sessions, acme):
    record(sessions, an_event("1"))
    for actor in (Actor(1, "Reads", frozenset({Permission.USAGE_READ})), Actor(1, "Own", frozenset(Permission), acme)):
        with pytest.raises(Forbidden):
            withdraw(sessions, acme, "1", actor=actor)
    withdraw(sessions, acme, "1")
    with sessions() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.subject_kind == "customer")).one()
        assert (entry.action, entry.subject_id, entry.subject_label) == ("usage.write", str(acme), "Acme Corp")
        assert entry.after == {"event": "1", "occurred_at": "2026-03-10T10:00:00+00:00", "reason": "Told twice"}


def test_nothing_is_withdrawn_by_a_transaction_that_fails(sessions, acme):
    record(sessions, an_event("1", user="ana"))

    def fail_afterwards() -> None:
        with sessions.begin() as session:
            withdrawal.withdraw(session, SYSTEM, acme, "1", reason="No", now=NOW + timedelta(1))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_afterwards()
    assert used(sessions, acme) == calls(1, users=1)


def test_what_comes_late_and_goes_again_is_noted_with_its_exact_quantity(sessions, acme):
    with sessions.begin() as session:
        march = {"first_day": date(2026, 3, 1), "last_day": date(2026, 3, 31)}
        session.add(UsagePeriod(customer_id=acme, billed_at=NOW, **march))
    late = an_event("1", quantity=Decimal("2.500001"))
    on_time = an_event("2", time="2026-02-28T22:59:59Z")
    assert record(sessions, on_time, late) == Recorded(2, 0, 1, ())
    with sessions.begin() as session:
        withdrawal.withdraw(session, SYSTEM, acme, "1", reason="Told twice", now=NOW)
    with sessions() as session:
        items = session.execute(
            select(LateItem.kind, LateItem.event_id, LateItem.calls, LateItem.quantity).order_by(LateItem.id)
        ).all()
    assert items == [
        (LateKind.ARRIVED, "1", 1, Decimal("2.500001")),
        (LateKind.WITHDRAWN, "1", -1, Decimal("-2.500001")),
    ]


def test_of_a_batch_that_is_partly_known_only_the_new_ones_are_late(sessions, acme):
    with sessions.begin() as session:
        march = {"first_day": date(2026, 3, 1), "last_day": date(2026, 3, 31)}
        session.add(UsagePeriod(customer_id=acme, billed_at=NOW, **march))
    assert record(sessions, an_event("1")).late == 1
    assert record(sessions, an_event("1"), an_event("2"), an_event("3", user="ana")) == Recorded(2, 1, 2, ())
    with sessions() as session:
        assert session.scalars(select(LateItem.event_id).order_by(LateItem.id)).all() == ["1", "2", "3"]
        assert wrong_in(session) == []
    assert used(sessions, acme) == calls(3, users=1)
