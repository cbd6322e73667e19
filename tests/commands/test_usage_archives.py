"""``usage archive`` and ``usage bring-back``: what they say, and what they refuse."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from billing_core import __main__, runtime
from billing_core.commands import usage_archives
from billing_core.metering.models import UsageEvent
from tests.invoices.company import a_customer
from tests.metering.used import an_event, record

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture
def told(sessions) -> None:
    """Two events in January, one in February, one in March."""
    with sessions.begin() as session:
        a_customer(session)
    times = ("2026-01-01T00:00:00Z", "2026-01-31T23:59:59Z", "2026-02-10T10:00:00Z", "2026-03-10T10:00:00Z")
    record(sessions, *(an_event(time, time=time) for time in times))


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "archives"
    made.mkdir()
    return made


@pytest.fixture
def run(sessions, monkeypatch, capsys):
    """``run("archive", …)``: (exit code, stdout, stderr)."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    monkeypatch.setattr(usage_archives, "utc_now", lambda: NOW)

    def carried_out(*typed: str, as_json: bool = False):
        code = __main__.main([*(["--json"] if as_json else []), "usage", *typed])
        said = capsys.readouterr()
        return code, said.out, said.err

    return carried_out


def here(sessions) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(UsageEvent))


def test_months_go_into_files_and_come_back(run, sessions, told, folder):
    code, out, err = run("archive", "--before", "2026-03", "--to", str(folder), as_json=True)
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert [(one["month"], one["events"]) for one in made] == [("2026-01", 2), ("2026-02", 1)]
    assert {one["file"]: one["bytes"] for one in made} == {str(file): file.stat().st_size for file in folder.iterdir()}
    assert here(sessions) == 1
    code, out, err = run("archive", "--before", "2026-03", "--to", str(folder))
    assert (code, out, err) == (0, "There is nothing to archive\n", "")
    code, out, err = run("bring-back", made[0]["file"])
    assert (code, out, err) == (0, f"2026-01: 2 events of {made[0]['file']} are in the database again\n", "")
    assert here(sessions) == 3
    code, out, err = run("archive", "--before", "2026-02", "--to", str(folder))
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"2026-01: 2 events are in {made[0]['file']} ({made[0]['bytes']:,} bytes)",
        "Keep the files: the database no longer holds these events",
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_done_is_refused_in_a_sentence(run, sessions, told, folder, capsys):
    code, out, err = run("archive", "--before", "2026-04", "--to", str(folder))
    assert (code, out) == (1, "")
    assert "The month 2026-03 is not over" in err
    assert (here(sessions), [*folder.iterdir()]) == (4, [])
    code, out, err = run("archive", "--before", "2026-02", "--to", str(folder / "none"))
    assert (code, out) == (1, "")
    assert "There is no folder" in err
    code, out, err = run("bring-back", str(folder / "none"))
    assert (code, out) == (1, "")
    assert "There is no file" in err
    with pytest.raises(SystemExit) as refused:
        run("archive", "--before", "2026-13", "--to", str(folder))
    assert refused.value.code == 2
    assert "“2026-13” is not a month such as 1998-04" in capsys.readouterr().err
