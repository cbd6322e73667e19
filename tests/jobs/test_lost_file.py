"""What the log says of jobs while the database's file is gone: it once, instead of each failure."""

from pathlib import Path
from threading import Semaphore

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from billing_core import runtime
from billing_core.jobs.periodic import Periodic

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WITHIN_SECONDS = 300


@pytest.fixture(autouse=True)
def used(sessions, monkeypatch) -> None:
    """Opened, so that its loss is noticed."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    write()


def write() -> None:
    with runtime.sessions().begin() as session:
        session.execute(text("UPDATE customers SET name = name"))


def said_by_loops(work=write) -> list[str]:
    """What two loops log that each do this work some times."""
    turns = Semaphore(0)

    def turn(_to_stop) -> None:
        try:
            work()
        finally:
            turns.release()

    loops = [Periodic(name, turn, every_seconds=0.001) for name in ("heartbeat", "outbox")]
    with capture_logs() as entries:
        for loop in loops:
            loop.start()
        for _ in range(8):
            assert turns.acquire(timeout=WITHIN_SECONDS)
        for loop in loops:
            assert loop.stop(timeout_seconds=WITHIN_SECONDS)
    return [f"{entry['log_level']} {entry['event']} {entry.get('reason', '')}".strip() for entry in entries]


def test_that_it_is_gone_is_said_once_until_it_is_back(sessions):
    file = Path(sessions.engine.url.database)
    assert said_by_loops() == []
    for _ in range(2):
        elsewhere = file.rename(file.with_name("elsewhere"))
        (gone,) = said_by_loops()
        assert gone.startswith(f"error database_file_is_gone The database file {file.name} was deleted while")
        assert said_by_loops() == []
        elsewhere.rename(file)
        assert said_by_loops() == ["info database_file_is_back"]


def test_work_that_reads_meanwhile_does_not_say_that_it_is_back(sessions):
    file = Path(sessions.engine.url.database)
    elsewhere = file.rename(file.with_name("elsewhere"))
    assert len(said_by_loops()) == 1
    assert said_by_loops(lambda: None) == []
    elsewhere.rename(file)
    assert said_by_loops(lambda: None) == ["info database_file_is_back"]


def test_other_failures_are_logged_each_time(sessions):
    def fail() -> None:
        raise ValueError("broken")

    said = said_by_loops(fail)
    assert len(said) >= 8
    assert set(said) == {"error periodic_work_failed"}
