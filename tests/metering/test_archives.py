"""Events of past months in files: no figure changes, and whatever needs the events themselves says so."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers import queries as customers
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity import SYSTEM, Actor, Permission
from billing_core.metering import digests, meters, queries, rollups, withdrawal, zone_changes
from billing_core.metering.archives import files, service
from billing_core.metering.ingestion import Recorded
from billing_core.metering.models import Aggregation, UsageArchive, UsagePeriod, ZoneKind
from billing_core.metering.queries import Usage
from tests.invoices.company import a_customer
from tests.metering.archived_events import JANUARY, acme, archived, figures, folder, here, wrong
from tests.metering.used import NOW, an_event, record, used

__all__ = ["acme", "folder"]


def test_a_months_events_are_in_a_file_and_no_figure_changes(sessions, acme, folder):
    before = figures(sessions, acme)
    assert before["january"] == Usage(3, 3, 4, Decimal("5.5"), Decimal("1.25"), 2)
    made = archived(sessions, folder)
    assert (made.month, made.events, made.size) == (JANUARY, 5, made.file.stat().st_size)
    assert here(sessions) == ["1", "6"]
    assert figures(sessions, acme) == before
    assert wrong(sessions) == []
    assert [file.name for file in folder.iterdir()] == [made.file.name]
    assert made.file.name.startswith("usage-2026-01-")
    with sessions() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "usage.archive")).one()
        assert entry.after == {"month": "2026-01", "file": made.file.name, "events": 5}
        # A sum of many numbers of 64 hexadecimal digits that has as many itself.
        assert len(session.scalars(select(UsageArchive.totals)).one()) == 64


def test_archived_events_are_known_when_they_are_told_again(sessions, acme, folder):
    archived(sessions, folder)
    same = an_event("3", time="2026-01-15T10:00:00Z", user="ben", endpoint="/v1/é", properties={"region": "eu"})
    assert record(sessions, same) == Recorded(0, 1, 0, ())
    assert [one.taken for one in record(sessions, {**same, "user": "eve"}).refused] == [True]
    assert wrong(sessions) == []


def test_what_is_told_of_an_archived_month_counts_and_can_be_archived_in_its_turn(sessions, acme, folder):
    first = archived(sessions, folder)
    record(sessions, an_event("8", time="2026-01-01T08:00:00Z", user="ana"), an_event("9", time="2026-01-02T08:00:00Z"))
    after = figures(sessions, acme)
    assert after["january"].calls == 6
    assert wrong(sessions) == []
    second = archived(sessions, folder)
    assert (second.events, second.file != first.file) == (2, True)
    assert (figures(sessions, acme), wrong(sessions), here(sessions)) == (after, [], ["1", "6"])


def test_counted_anew_archived_totals_stay(sessions, acme, folder):
    archived(sessions, folder)
    before = figures(sessions, acme)
    for customer_ids in ([acme], None):
        with sessions.begin() as session:
            rollups.rebuild(session, customer_ids)
            digests.rebuild(session, customer_ids)
        assert (figures(sessions, acme), wrong(sessions)) == (before, [])


def test_an_archived_event_is_withdrawn_once_its_archive_is_brought_back(sessions, acme, folder):
    before = figures(sessions, acme)
    made = archived(sessions, folder)

    def withdraw() -> None:
        with sessions.begin() as session:
            withdrawal.withdraw(session, SYSTEM, acme, "3", reason="Too late", now=NOW)

    with pytest.raises(Conflict, match=f"“3” is archived: {made.file.name} has to be brought back first"):
        withdraw()
    assert figures(sessions, acme) == before
    assert service.bring_back(sessions, SYSTEM, made.file, now=NOW) == made
    assert here(sessions) == ["1", "2", "3", "4", "5", "6", "7"]
    assert (figures(sessions, acme), wrong(sessions)) == (before, [])
    withdraw()
    assert figures(sessions, acme)["january"].calls == 3
    again = archived(sessions, folder)
    assert (again.events, again.file != made.file, wrong(sessions)) == (5, True, [])


def test_withdrawing_what_is_here_leaves_archived_users_seen(sessions, acme, folder):
    archived(sessions, folder)
    for event_id in ("1", "6"):
        with sessions.begin() as session:
            withdrawal.withdraw(session, SYSTEM, acme, event_id, reason="A test", now=NOW)
    users = {user: seen.isoformat() for user, seen in figures(sessions, acme)["users"]}
    assert users == {
        "ana": "2026-01-01T00:00:00+00:00",
        "ben": "2026-01-15T10:00:00+00:00",
        "cy": "2026-01-31T23:30:00+00:00",
    }
    assert wrong(sessions) == []


def test_in_another_zone_archived_events_stay_on_the_days_on_which_they_were(sessions, acme, folder):
    def billed() -> list[tuple[str, int]]:
        with sessions() as session:
            found = queries.daily(
                session, SYSTEM, acme, Period(date(2025, 12, 31), date(2026, 2, 28)), zone_kind=ZoneKind.BILLING
            )
            return [(f"{one.day:%m-%d}", one.calls) for one in found if one.calls]

    in_berlin = [("01-01", 2), ("01-15", 1), ("02-01", 3)]
    assert billed() == in_berlin
    made = archived(sessions, folder)
    with sessions.begin() as session:
        zone_changes.change_customer(session, SYSTEM, acme, version=1, facts={"time_zone": "America/New_York"}, now=NOW)
    # Of the two that are here, 23:30 is 18:30 of the same day in New York, and midnight is 19:00 of the day before.
    assert billed() == [("12-31", 1), ("01-01", 1), ("01-15", 1), ("01-31", 1), ("02-01", 2)]
    assert wrong(sessions) == []
    service.bring_back(sessions, SYSTEM, made.file, now=NOW)
    assert billed() == [("12-31", 2), ("01-15", 1), ("01-31", 3)]
    assert wrong(sessions) == []


def test_whole_archived_days_can_be_asked_for_and_parts_of_them_cannot(sessions, acme, folder):
    archived(sessions, folder)
    day = NOW.replace(month=1, day=31, hour=0, minute=0)
    assert used(sessions, acme, day, day.replace(hour=23, minute=59, second=59)).calls == 2
    refused = "The events of 2026-01-31 are archived: a period must begin and end with whole days of UTC there"
    for start, end in [
        (day.replace(hour=12), day.replace(hour=13)),
        (day.replace(second=1), day.replace(month=2, day=2)),
        (day.replace(day=1), day.replace(hour=23, minute=59, second=58)),
        (day.replace(hour=1), day.replace(hour=23, minute=59, second=59)),
    ]:
        with pytest.raises(Invalid, match=refused):
            used(sessions, acme, start, end)
    # A day of the month without archived events, and one that is not archived.
    assert used(sessions, acme, day.replace(day=2, hour=5), day.replace(day=3, hour=5)).calls == 0
    assert used(sessions, acme, day.replace(month=2, day=1), day.replace(month=2, day=1, hour=12)).calls == 1


def test_meters_that_days_do_not_add_up_are_not_archived(sessions, acme, folder):
    with sessions.begin() as session:
        meters.create(session, SYSTEM, code="seats", name="Seats", aggregation=Aggregation.MAX, unit="seat", now=NOW)
    record(sessions, an_event("s", time="2026-01-10T10:00:00Z", meter="seats", quantity=7))
    made = archived(sessions, folder)
    assert (made.events, here(sessions)) == (5, ["1", "6", "s"])
    with sessions() as session:
        assert service.months(session, SYSTEM, before=date(2026, 2, 1), now=NOW) == [date(2025, 12, 1)]
    assert wrong(sessions) == []


def test_months_with_events_that_are_here_are_offered(sessions, acme, folder):
    def offered(before: date) -> list[date]:
        with sessions() as session:
            return service.months(session, SYSTEM, before=before, now=NOW)

    assert offered(date(2026, 1, 31)) == [date(2025, 12, 1)]
    assert offered(date(2026, 3, 1)) == [date(2025, 12, 1), JANUARY, date(2026, 2, 1)]
    archived(sessions, folder)
    assert offered(date(2026, 3, 1)) == [date(2025, 12, 1), date(2026, 2, 1)]


def test_an_archive_is_brought_back_while_somebody_without_events_in_it_is_billed(sessions, acme, folder):
    made = archived(sessions, folder)
    with sessions.begin() as session:
        other = a_customer(session, "OTHER")
    record(sessions, an_event("elsewhere", customer_ref="OTHER", time="2026-02-10T00:00:00Z"))
    with ThreadPoolExecutor(1) as pool, sessions.begin() as billing:
        if billing.get_bind().dialect.name == "postgresql":
            customers.for_change(billing, SYSTEM, other)
        pool.submit(service.bring_back, sessions, SYSTEM, made.file, now=NOW).result(timeout=30)
    assert len(here(sessions)) == 8


def other_buckets(sessions) -> None:
    with sessions.begin() as session:
        meters.add_bucket(session, SYSTEM, "api_calls", code="e", name="E", filters={"region": ["eu", "us"]}, now=NOW)
        meters.retire_bucket(session, SYSTEM, "api_calls", "eu", now=NOW)


def test_buckets_stay_while_events_are_archived_that_nobody_has_billed(sessions, acme, folder):
    """They could not move, and would be billed by other buckets than the events that are here."""
    made = archived(sessions, folder)
    before = figures(sessions, acme)
    facts = {"name": "E", "filters": {"region": ["us"]}, "now": NOW}
    for change in (
        lambda session: meters.add_bucket(session, SYSTEM, "api_calls", code="e", **facts),
        lambda session: meters.change_bucket(session, SYSTEM, "api_calls", "eu", **facts),
        lambda session: meters.retire_bucket(session, SYSTEM, "api_calls", "eu", now=NOW),
    ):
        with pytest.raises(Conflict, match=f"not billed yet, in {made.file.name}"), sessions.begin() as session:
            change(session)
    assert (figures(sessions, acme), wrong(sessions)) == (before, [])
    with sessions.begin() as session:
        named = {"name": "Europe", "filters": {"region": ["eu"]}, "now": NOW}
        assert meters.change_bucket(session, SYSTEM, "api_calls", "eu", **named).name == "Europe"

    service.bring_back(sessions, SYSTEM, made.file, now=NOW)
    other_buckets(sessions)
    moved = archived(sessions, folder)
    assert [event["bucket"] for batch in files.read(moved.file) for event in batch if event["id"] == "3"] == ["e"]
    assert wrong(sessions) == []


def test_buckets_change_once_archived_events_are_billed_which_stay_where_they_were(sessions, acme, folder):
    made = archived(sessions, folder)
    with sessions.begin() as session:
        # Berlin's last day of these events is 1 February.
        days = {"first_day": JANUARY, "last_day": date(2026, 2, 1)}
        session.add(UsagePeriod(customer_id=acme, billed_at=NOW, **days))
    other_buckets(sessions)
    before = figures(sessions, acme)
    service.bring_back(sessions, SYSTEM, made.file, now=NOW)
    assert (figures(sessions, acme), wrong(sessions)) == (before, [])
    again = archived(sessions, folder)
    assert [event["bucket"] for batch in files.read(again.file) for event in batch if event["id"] == "3"] == ["eu"]


@pytest.mark.parametrize("month", [date(2026, 3, 1), date(2026, 4, 1)])
def test_a_month_that_is_not_over_is_not_archived(sessions, acme, folder, month):
    with pytest.raises(Invalid, match="is not over"):
        archived(sessions, folder, month)
    with pytest.raises(Invalid, match="The month 2026-03 is not over"), sessions() as session:
        service.months(session, SYSTEM, before=date(2026, 4, 1), now=NOW)


def test_it_needs_the_permission_and_the_whole_company(sessions, acme, folder):
    for actor in (Actor(1, "Reads", frozenset({Permission.USAGE_READ})), Actor(1, "Own", frozenset(Permission), acme)):
        with pytest.raises(Forbidden):
            archived(sessions, folder, actor=actor)
        with pytest.raises(Forbidden):
            service.bring_back(sessions, actor, folder / "x", now=NOW)
        with pytest.raises(Forbidden), sessions() as session:
            service.months(session, actor, before=JANUARY, now=NOW)
