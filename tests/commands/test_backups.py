"""``backup`` and ``restore``: of one moment, whole or not at all, and nothing is overwritten."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import func, select, text

from billing_core.__main__ import main
from billing_core.bill_runs import planning, taking
from billing_core.bill_runs.models import BillRun, RunGoal
from billing_core.customers.models import Customer
from billing_core.database import connect, copying, for_changes, migrate
from billing_core.identity import SYSTEM
from billing_core.jobs import engine as jobs
from billing_core.processes import service as processes
from billing_core.processes.models import Process, ProcessKind
from tests.commands.copied import NOW, backup_file, filled, filled_file, in_use, left_in, unused
from tests.database.raw_rows import raw_rows
from tests.reports.company import MARCH

__all__ = ["backup_file", "filled", "filled_file", "in_use", "unused"]

pytestmark = [pytest.mark.slow, pytest.mark.sql]


def test_a_restored_run_waits_for_somebody_to_resume_it(filled, database_url, in_use, tmp_path, capsys):
    file, goals = tmp_path / "our.backup", (RunGoal.SENT, RunGoal.REPORTS, RunGoal.DRAFTS, RunGoal.REHEARSAL)
    sessions = in_use(filled)
    with sessions.begin() as session:
        ids = session.scalars(select(Customer.id).order_by(Customer.id).limit(len(goals))).all()
        going, paused, stopped, rehearsal = (
            planning.plan(session, SYSTEM, customer_ids=[customer_id], period=MARCH, goal=goal, now=NOW)
            for customer_id, goal in zip(ids, goals, strict=True)
        )
        planning.pause(session, SYSTEM, paused, now=NOW)
        planning.cancel(session, SYSTEM, stopped, now=NOW)
        processes.register(session, "here", ProcessKind.APP, host="billing-1", pid=17, version="0.1.0")
    assert main(["backup", "-o", str(file)]) == 0

    restored = in_use(database_url)
    capsys.readouterr()
    assert main(["restore", str(file)]) == 0
    assert "2 bill runs were under way and are paused now" in capsys.readouterr().out
    with restored() as session:
        assert taking.unfinished(session) == []
        runs = dict(session.execute(select(BillRun.id, BillRun.paused_at).where(BillRun.paused_at.is_not(None))).all())
        assert session.scalars(select(Process.id)).all() == []
    assert set(runs) == {going, paused, rehearsal}
    assert runs[paused] == NOW
    with restored() as session:
        reasons = session.scalars(select(BillRun.pause_reason).where(BillRun.pause_reason != "")).all()
        assert reasons == ["It was under way when the backup was made"] * 2


def test_a_backup_is_restored_where_the_product_was_merely_started(backup_file, database_url, in_use):
    sessions = in_use(database_url)
    jobs.start()
    jobs.stop()
    with sessions() as session:
        assert len(session.scalars(select(Process.id)).all()) == 1
    assert main(["restore", str(backup_file)]) == 0
    with sessions() as session:
        assert session.scalars(select(Process.id)).all() == []
        assert session.scalar(select(func.count()).select_from(Customer)) > 0


def test_a_backup_has_a_place_of_its_own_and_says_what_it_does_not_hold(unused, in_use, tmp_path, capsys):
    in_use(unused)
    assert main(["backup"]) == 0
    said = capsys.readouterr().out
    (file,) = (tmp_path / "data" / "backups").iterdir()
    assert str(file) in said
    assert f"does not hold the secret: keep the file {tmp_path / 'data' / 'secret_key'} too" in said
    with closing(sqlite3.connect(file)) as connection:
        # One file for every tool: no log of SQLite's has to lie beside it.
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_backup_is_of_one_moment_and_waits_for_nobody(sessions, in_use, database_url, tmp_path, monkeypatch):
    with sessions.begin() as session:
        session.execute(text("UPDATE businesses SET name = 'Before'"))
    in_use(database_url)
    file, copy = tmp_path / "backup.sqlite3", copying._copy

    def copy_while_somebody_writes(source, target, one):
        copied = copy(source, target, one)
        if one.name == "audit_entries":
            with sessions.begin() as session:
                session.execute(text("UPDATE businesses SET name = 'After'"))
        return copied

    monkeypatch.setattr(copying, "_copy", copy_while_somebody_writes)
    with sessions.begin() as writing:
        writing.execute(text("UPDATE businesses SET name = 'Never'"))
        monkeypatch.setattr(copying, "_copy", copy)
        assert main(["backup", "-o", str(file)]) == 0
        writing.rollback()
    monkeypatch.setattr(copying, "_copy", copy_while_somebody_writes)
    assert main(["backup", "-o", str(tmp_path / "second")]) == 0

    for made in (file, tmp_path / "second"):
        with closing(sqlite3.connect(made)) as connection:
            assert connection.execute("SELECT name FROM businesses").fetchall() == [("Before",)]
    with sessions() as session:
        assert session.scalar(text("SELECT name FROM businesses")) == "After"


def no_database(file: Path, backup: Path) -> None:
    file.write_text("Dear diary" * 1_000)


def another_program(file: Path, backup: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE recipes (id integer)")


def empty(file: Path, backup: Path) -> None:
    file.touch()


def newer(file: Path, backup: Path) -> None:
    shutil.copyfile(backup, file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def cut_off(file: Path, backup: Path) -> None:
    file.write_bytes(backup.read_bytes()[: backup.stat().st_size // 8192 * 4096])


def scratched(file: Path, backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\x5a" * 4096
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (None, "There is no file"),
        (no_database, "is no backup: it is no database"),
        (another_program, "is no backup: it is another database"),
        (empty, "is no backup: it is another database"),
        (newer, "was made by a newer version of the product"),
        (cut_off, "is damaged"),
        (scratched, "is damaged"),
    ],
)
def test_what_is_no_whole_backup_of_ours_is_refused(backup_file, unused, in_use, tmp_path, capsys, make, said):
    file = tmp_path / "file"
    if make is not None:
        make(file, backup_file)
    before = raw_rows(unused)
    in_use(unused)
    assert main(["restore", str(file)]) == 1
    assert said in capsys.readouterr().err
    assert raw_rows(unused) == before
    assert left_in(tmp_path / "data") == set()


def test_a_backup_of_an_older_version_is_brought_up_to_date_and_stays_as_it_is(database_url, in_use, tmp_path):
    old = tmp_path / "old.sqlite3"
    engine = connect(f"sqlite:///{old}")
    with for_changes(engine).begin() as connection:
        command.upgrade(migrate.configuration(connection), "0001")
        connection.execute(text("UPDATE businesses SET name = 'Old & Sons'"))
    engine.dispose()
    before = old.read_bytes()
    sessions = in_use(database_url)
    assert main(["restore", str(old)]) == 0
    with sessions() as session:
        assert session.execute(text("SELECT name, invoice_format FROM businesses")).all() == [
            ("Old & Sons", "INV-{year}-{seq:03}")
        ]
    assert old.read_bytes() == before


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_backup_that_is_told_to_end_leaves_nothing_behind(
    filled, in_use, tmp_path, monkeypatch, capsys, request, told
):
    """SIGINT is ignored by what a shell starts in the background, such as the tests."""
    in_use(filled)
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, ignored))
    monkeypatch.setattr(copying, "copy", lambda *_: os.kill(os.getpid(), told))
    before = signal.getsignal(signal.SIGTERM)
    assert main(["backup", "-o", str(tmp_path / "new" / "backup.sqlite3")]) == 1
    (tmp_path / "new").mkdir()
    assert main(["backup", "-o", str(tmp_path / "new" / "backup.sqlite3")]) == 130
    assert "Interrupted" in capsys.readouterr().err
    assert (left_in(tmp_path / "new"), signal.getsignal(signal.SIGTERM)) == (set(), before)


def test_the_next_backup_takes_away_what_a_killed_one_left(filled, in_use, tmp_path):
    in_use(filled)
    folder = tmp_path / "data" / "backups"
    folder.mkdir(parents=True)
    killed = f"""
import os, pathlib, signal
from billing_core.database import backup_files
with backup_files.new(pathlib.Path({str(folder / "killed.sqlite3")!r})) as engine:
    engine.connect().exec_driver_sql("CREATE TABLE half (id INTEGER)")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -signal.SIGKILL
    assert len(left_in(folder)) >= 2
    (folder / ".theirs.0123456789abcdef.part").write_text("somebody else's")
    assert main(["backup"]) == 0
    assert len(left_in(folder)) == 2
    assert ".theirs.0123456789abcdef.part" in left_in(folder)
