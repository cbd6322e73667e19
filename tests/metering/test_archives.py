"""Events of past months in files: no figure changes, and whatever needs the events themselves says so."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import func, select, update

from billing_core.audit.models import AuditEntry
from billing_core.customers import queries as customers
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Actor, Permission
from billing_core.metering import digests, ingestion, meters, queries, rollups, withdrawal, zone_changes
from billing_core.metering.archives import files, moving, service
from billing_core.metering.ingestion import Recorded
from billing_core.metering.models import (
    Aggregation,
    UsageArchive,
    UsageDay,
    UsageEvent,
    UsagePeriod,
    UsageUser,
    ZoneKind,
)
from billing_core.metering.queries import Usage
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, record, used, wrong_in

JANUARY = date(2026, 1, 1)


@pytest.fixture
def acme(sessions) -> int:
    """Billed in Berlin: its last two events of January in UTC are of 1 February there."""
    with sessions.begin() as session:
        customer_id = a_customer(session, time_zone="Europe/Berlin")
        meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters={"region": ["eu"]}, now=NOW)
    record(
        sessions,
        an_event("1", time="2025-12-31T23:30:00Z", user="ana"),
        an_event("2", time="2026-01-01T00:00:00Z", user="ana", quantity=Decimal("2.5"), response_time=Decimal("0.25")),
        an_event("3", time="2026-01-15T10:00:00Z", user="ben", endpoint="/v1/é", properties={"region": "eu"}),
        an_event("4", time="2026-01-31T23:30:00Z", user="cy", response_time=1),
        an_event("5", time="2026-01-31T23:59:59.999999Z", user="ana"),
        an_event("6", time="2026-02-01T00:00:00Z", user="cy"),
        an_event("7", time="2026-01-20T10:00:00Z", user="dan"),
    )
    with sessions.begin() as session:
        withdrawal.withdraw(session, SYSTEM, customer_id, "7", reason="A test", now=NOW)
    return customer_id


@pytest.fixture
def folder(tmp_path):
    """For archives alone."""
    made = tmp_path / "archives"
    made.mkdir()
    return made


def archived(sessions, folder, month=JANUARY, actor=SYSTEM) -> service.Archived:
    return service.archive(sessions, actor, month, folder, now=NOW)


def figures(sessions, customer_id) -> dict[str, object]:
    """Everything that is said of its usage by whole days, in both zones."""
    with sessions() as session:
        days = Period(date(2025, 12, 1), date(2026, 3, 31))
        seen = select(UsageUser.user, UsageUser.first_seen_at).order_by(UsageUser.user)
        return {
            "utc": queries.daily(session, SYSTEM, customer_id, days),
            "billing": queries.daily(session, SYSTEM, customer_id, days, zone_kind=ZoneKind.BILLING),
            "users": session.execute(seen).all(),
            "digests": digests.of_days(session, SYSTEM, customer_id, days),
            "january": queries.usage_of(
                session,
                SYSTEM,
                customer_id,
                start=NOW.replace(month=1, day=1, hour=0),
                end=NOW.replace(month=1, day=31, hour=23, minute=59, second=59),
            ),
        }


def here(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(UsageEvent.event_id).order_by(UsageEvent.event_id)))


def wrong(sessions) -> list[str]:
    with sessions() as session:
        return wrong_in(session)


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


def test_the_file_says_everything_of_the_events(sessions, acme, folder):
    made = archived(sessions, folder)
    table = parquet.read_table(made.file)
    may_be_missing = {field.name for field in table.schema if field.nullable}
    assert may_be_missing == {"bucket", "response_time", "withdrawn_at", "withdrawn_reason"}
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == ["2", "3", "7", "4", "5"]
    with sessions() as session:
        uuid = queries.events(session, SYSTEM, acme, start=NOW.replace(month=2, day=1, hour=0), end=NOW)[
            0
        ].organization_id
    third = rows[1]
    assert {
        name: third[name] for name in ("organization_id", "customer_ref", "meter", "bucket", "user", "endpoint")
    } == {
        "organization_id": uuid,
        "customer_ref": "ACME",
        "meter": "api_calls",
        "bucket": "eu",
        "user": "ben",
        "endpoint": "/v1/é",
    }
    assert (third["time"], third["properties"]) == (
        datetime.fromisoformat("2026-01-15T10:00:00+00:00"),
        '{"region":"eu"}',
    )
    assert (rows[0]["quantity"], rows[0]["response_time"], rows[0]["bucket"]) == (Decimal("2.5"), Decimal("0.25"), None)
    assert (rows[2]["withdrawn_at"], rows[2]["withdrawn_reason"]) == (NOW, "A test")
    assert [files.content_digest(row) for row in rows] == [row["digest"] for row in rows]


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


def test_an_event_that_came_while_the_file_was_written_is_not_lost(sessions, acme, folder, monkeypatch):
    whole = moving.put_away

    def meanwhile(session, month, file, *, now):
        told = [an_event("8", time="2026-01-02T10:00:00Z")]
        ingestion.record(session, SYSTEM, told, now=NOW)
        return whole(session, month, file, now=now)

    with monkeypatch.context() as patched:
        patched.setattr(moving, "put_away", meanwhile)
        with pytest.raises(Conflict, match="were told meanwhile that are not in the file"):
            archived(sessions, folder)
    assert here(sessions) == ["1", "2", "3", "4", "5", "6", "7"]
    assert archived(sessions, folder).events == 5
    assert wrong(sessions) == []


def test_a_file_that_was_written_before_the_process_ended_is_used_again(sessions, acme, folder, monkeypatch):
    def ends(*_arguments, **_facts):
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(moving, "put_away", ends)
        with pytest.raises(InterruptedError):
            archived(sessions, folder)
    (left,) = folder.iterdir()
    assert archived(sessions, folder).file == left


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


def test_a_file_of_that_name_that_holds_something_else_is_left_alone(sessions, acme, folder):
    made = archived(sessions, folder)
    service.bring_back(sessions, SYSTEM, made.file, now=NOW)
    made.file.write_bytes(b"something else")
    with pytest.raises(Conflict, match="is another file"):
        archived(sessions, folder)
    assert made.file.read_bytes() == b"something else"
    assert len(here(sessions)) == 7


def test_an_event_that_is_not_the_one_that_was_recorded_is_not_archived(sessions, acme, folder):
    with sessions.begin() as session:
        session.execute(update(UsageEvent).where(UsageEvent.event_id == "3").values(endpoint="/v2"))
    with pytest.raises(Invalid, match="event “3” is not the one that was recorded"):
        archived(sessions, folder)
    assert (len(here(sessions)), [*folder.iterdir()]) == (7, [])


def test_only_the_file_itself_is_brought_back_and_only_once(sessions, acme, folder):
    made = archived(sessions, folder)
    content = made.file.read_bytes()
    made.file.write_bytes(content + b" ")
    with pytest.raises(NotFound, match="is the file of no archive"):
        service.bring_back(sessions, SYSTEM, made.file, now=NOW)
    made.file.write_bytes(content)
    service.bring_back(sessions, SYSTEM, made.file, now=NOW)
    for file, refusal in ((made.file, NotFound), (folder / "none.parquet", Invalid)):
        with pytest.raises(refusal):
            service.bring_back(sessions, SYSTEM, file, now=NOW)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(UsageArchive)) == 0


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


def test_a_folder_that_there_is_not_is_refused(sessions, acme, folder):
    with pytest.raises(Invalid, match="There is no folder"):
        archived(sessions, folder / "none")


def test_it_needs_the_permission_and_the_whole_company(sessions, acme, folder):
    for actor in (Actor(1, "Reads", frozenset({Permission.USAGE_READ})), Actor(1, "Own", frozenset(Permission), acme)):
        with pytest.raises(Forbidden):
            archived(sessions, folder, actor=actor)
        with pytest.raises(Forbidden):
            service.bring_back(sessions, actor, folder / "x", now=NOW)
        with pytest.raises(Forbidden), sessions() as session:
            service.months(session, actor, before=JANUARY, now=NOW)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_of_other_columns_is_no_archive(sessions, tmp_path):
    file = tmp_path / "other.parquet"
    parquet.write_table(pa.table({"a": [1]}), file)
    with pytest.raises(Invalid, match="it has other columns"):
        files.examined(file, "other")
    file.write_bytes(b"PAR1")
    with pytest.raises(Invalid, match="cannot be read"):
        files.examined(file, "other")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_is_not_held_in_memory_while_it_is_read(sessions, acme, folder):
    event = parquet.read_table(archived(sessions, folder).file).slice(0, 1)
    place = event.column_names.index("properties")
    file, chance, count = folder / "large.parquet", random.Random(7), 1_000
    with parquet.ParquetWriter(file, event.schema) as writer:
        for _ in range(40):
            properties = pa.array([chance.randbytes(300).hex() for _ in range(count)])
            events = event.take([0] * count)
            writer.write_table(events.set_column(place, event.schema.field("properties"), properties))
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in files.read(file)]
    assert len(held) == 40 * count / files.BATCH
    assert max(held) < file.stat().st_size / 2


def test_many_events_are_written_and_read_in_batches(sessions, acme, folder, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 3)
    record(sessions, *(an_event(f"m{number}", time=f"2026-01-05T10:{number:02d}:00Z") for number in range(20)))
    before = figures(sessions, acme)
    made = archived(sessions, folder)
    assert (made.events, figures(sessions, acme), wrong(sessions)) == (25, before, [])
    assert parquet.ParquetFile(made.file).num_row_groups == 9
    service.bring_back(sessions, SYSTEM, made.file, now=NOW)
    assert (figures(sessions, acme), wrong(sessions)) == (before, [])
    with sessions() as session:
        assert session.scalar(select(func.count()).where(UsageDay.archive_id != 0)) == 0
