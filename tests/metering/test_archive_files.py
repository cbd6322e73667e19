"""Files of archived events: written once and whole, read back as they were, and refused where they are others."""

import random
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import func, select, update

from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, queries
from billing_core.metering.archives import files, moving, service
from billing_core.metering.models import UsageArchive, UsageDay, UsageEvent
from tests.metering.archived_events import acme, archived, figures, folder, here, wrong
from tests.metering.used import NOW, an_event, record

__all__ = ["acme", "folder"]


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


def test_a_folder_that_there_is_not_is_refused(sessions, acme, folder):
    with pytest.raises(Invalid, match="There is no folder"):
        archived(sessions, folder / "none")


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
