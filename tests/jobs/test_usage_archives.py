"""Old events of usage go into archives by themselves, where settings say so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.errors import Invalid
from billing_core.jobs.schedules import archiving
from billing_core.metering import verification
from billing_core.metering.archives import files
from billing_core.metering.models import UsageEvent
from billing_core.settings import settings
from tests.invoices.company import a_customer
from tests.metering.used import an_event, record

MAY_15 = datetime(2026, 5, 15, 2, 40, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path, sessions, monkeypatch) -> Path:
    """Of archives; ACME has an event on the last day of each month from December to March."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        a_customer(session)
    ends = ("2025-12-31", "2026-01-31", "2026-02-28", "2026-03-10")
    record(sessions, *(an_event(day, time=f"{day}T23:59:59Z") for day in ends))
    made = tmp_path / "archives"
    made.mkdir()
    return made


@pytest.fixture
def after(monkeypatch, folder):
    """Sets how old, in months, archived events are at least."""

    def given(months: str, to: Path = folder) -> None:
        monkeypatch.setenv("BILLING_ARCHIVE_USAGE_AFTER_MONTHS", months)
        monkeypatch.setenv("BILLING_ARCHIVE_USAGE_DIR", str(to))
        settings.cache_clear()

    yield given
    settings.cache_clear()


def here(sessions) -> list[str]:
    with sessions() as session:
        assert [wrong for check in verification.checks(session) for wrong in check.wrong] == []
        return list(session.scalars(select(UsageEvent.event_id).order_by(UsageEvent.event_id)))


def test_months_whose_events_are_all_older_are_archived_each_into_a_file(sessions, folder, after):
    after("3")
    # On 15 May events of 31 January are older than three months, and those of late February are not.
    assert archiving.archive_old(MAY_15) == 2
    assert here(sessions) == ["2026-02-28", "2026-03-10"]
    kept = {file.name[:13]: [one["id"] for batch in files.read(file) for one in batch] for file in folder.iterdir()}
    assert kept == {"usage-2025-12": ["2025-12-31"], "usage-2026-01": ["2026-01-31"]}
    assert archiving.archive_old(MAY_15) == 0


@pytest.mark.parametrize(("months", "left"), [("1", 0), ("2", 1), ("120", 4)])
def test_as_many_months_as_the_setting_says_stay(sessions, after, months, left):
    after(months)
    assert archiving.archive_old(MAY_15) == 4 - left
    assert len(here(sessions)) == left


def test_unless_settings_say_so_nothing_is_archived(sessions, folder):
    settings.cache_clear()
    assert archiving.archive_old(MAY_15) == 0
    assert (len(here(sessions)), list(folder.iterdir())) == (4, [])


def test_without_the_folder_nothing_is_taken_out(sessions, folder, after):
    after("1", folder / "away")
    with pytest.raises(Invalid, match="There is no folder"):
        archiving.archive_old(MAY_15)
    assert len(here(sessions)) == 4
