"""``backup``, ``restore`` and ``move``: the same rows everywhere, or none at all."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from billing_core import runtime
from billing_core.__main__ import main
from billing_core.audit.models import AuditEntry
from billing_core.bill_runs import planning, taking
from billing_core.bill_runs.models import BillRun, RunGoal
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect, copying, for_changes, migrate, sqlite
from billing_core.identity import SYSTEM, Role, links
from billing_core.identity.models import LinkPurpose, User, UserSession
from billing_core.invoices.models import Invoice
from billing_core.jobs import engine as jobs
from billing_core.processes import service as processes
from billing_core.processes.models import Process, ProcessKind
from billing_core.settings import settings
from tests.database.raw_rows import raw_rows
from tests.invoices.company import an_invoice
from tests.reports.company import MARCH

pytestmark = [pytest.mark.slow, pytest.mark.sql]

NOW = datetime(2026, 11, 21, 9, 0, 0, 123_456, tzinfo=UTC)
PASSWORD = "not-to-be-shown"
SIZE = {"orders": 50, "months": 2, "calls": 500, "subscriptions": 4}


@pytest.fixture(scope="module")
def filled_file(demo_company, tmp_path_factory) -> Path:
    """The demo company, with somebody who is signed in."""
    file = demo_company("copied", somebody_signed_in, today=date(2026, 11, 21), now=NOW, **SIZE)
    return Path(shutil.copyfile(file, tmp_path_factory.mktemp("copies") / "filled.sqlite3"))


def somebody_signed_in(sessions):
    with sessions.begin() as session:
        user = User(email="a@b.example", name="Ada", role=Role.ADMIN, created_at=NOW)
        session.add(user)
        session.flush()
        facts = {"created_at": NOW, "last_seen_at": NOW, "expires_at": NOW, "address": "", "user_agent": ""}
        session.add(UserSession(user_id=user.id, token_hash="0" * 64, **facts))


@pytest.fixture(scope="module")
def backup_file(filled_file, tmp_path_factory) -> Path:
    """A backup of that company."""
    file = tmp_path_factory.mktemp("backup") / "backup.sqlite3"
    sessions = Sessions(connect(f"sqlite:///{filled_file}"))
    with pytest.MonkeyPatch.context() as in_use:
        in_use.setattr(runtime, "sessions", lambda: sessions)
        assert main(["backup", "-o", str(file)]) == 0
    sessions.engine.dispose()
    return file


@pytest.fixture
def in_use(monkeypatch, tmp_path):
    """Says which database the process has."""
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path / "data"))
    settings.cache_clear()
    opened = []

    def use(url: str | Path) -> Sessions:
        sessions = Sessions(connect(f"sqlite:///{url}" if isinstance(url, Path) else url))
        opened.append(sessions)
        monkeypatch.setattr(runtime, "sessions", lambda: sessions)
        return sessions

    yield use
    for sessions in opened:
        sessions.engine.dispose()
    settings.cache_clear()


@pytest.fixture
def filled(filled_file, tmp_path) -> Path:
    """A company of this test's own."""
    return Path(shutil.copyfile(filled_file, tmp_path / "filled.sqlite3"))


@pytest.fixture
def unused(sqlite_template, tmp_path) -> Path:
    return Path(shutil.copyfile(sqlite_template, tmp_path / "unused.sqlite3"))


def left_in(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*")} if folder.exists() else set()


def another_invoice(sessions: Sessions) -> None:
    with sessions.begin() as session:
        before = session.scalars(select(func.max(Invoice.id))).one()
        customer = session.scalars(select(Customer.id).where(Customer.currency == "USD").limit(1)).one()
        assert an_invoice(session, customer).id == before + 1


def test_a_company_moves_to_postgresql_into_a_file_and_back(filled_file, in_use, tmp_path, emptied_database, capsys):
    rows = raw_rows(filled_file)
    not_copied = ("alembic_version", "invoice_words", *copying.LEFT_OUT)
    expected = {name: len(of) for name, of in rows.items() if name not in not_copied}
    moved_to, file, back = emptied_database.taken(), tmp_path / "our.backup", tmp_path / "back.sqlite3"

    in_use(filled_file)
    assert main(["--json", "move", moved_to]) == 0
    moved = json.loads(capsys.readouterr().out)
    assert (moved["tables"], moved["rows"], moved["wrong"]) == (expected, sum(expected.values()), [])

    in_use(moved_to)
    assert main(["verify"]) == 0
    assert main(["backup", "-o", str(file)]) == 0
    assert main(["backup", "-o", str(file)]) == 1
    assert "nothing is overwritten" in capsys.readouterr().err

    restored = in_use(back)
    capsys.readouterr()
    assert main(["--json", "restore", str(file)]) == 0
    answer = json.loads(capsys.readouterr().out)
    with closing(sqlite3.connect(filled_file)) as connection:
        ((waiting,),) = connection.execute("SELECT count(*) FROM outbox_messages WHERE state = 'waiting'")
        ((last,),) = connection.execute("SELECT max(at) FROM audit_entries")
    assert (answer["waiting_messages"], answer["last_change"]) == (waiting, f"{last.replace(' ', 'T')}+00:00")
    assert answer["rows"] == moved["rows"] + 1
    assert main(["verify"]) == 0

    # What the audit log tells of the ways is all that came to it.
    with restored() as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(2)).all()
    assert [(entry.action, entry.subject_label) for entry in last] == [
        ("database.restore", "our.backup"),
        ("database.move", f"from sqlite:///{filled_file}"),
    ]
    for sessions in (in_use(moved_to), restored):
        another_invoice(sessions)
    assert main(["verify"]) == 0
    stored = raw_rows(file)
    assert len(stored.pop("audit_entries")) == len(rows["audit_entries"]) + 1
    assert stored == {name: of for name, of in rows.items() if name != "audit_entries"} | {"user_sessions": []}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir() if "our.backup" in path.name} == {"our.backup"}
    assert not left_in(tmp_path / "data")


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


def test_a_moved_run_goes_on(filled, unused, in_use):
    sessions = in_use(filled)
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id).limit(1)).one()
        run_id = planning.plan(session, SYSTEM, customer_ids=[customer_id], period=MARCH, now=NOW)
    assert main(["move", f"sqlite:///{unused}"]) == 0
    with in_use(unused)() as session:
        assert taking.unfinished(session) == [(run_id, 1)]


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


def test_nobody_writes_while_a_database_moves(database_url, in_use, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 100)
    monkeypatch.setattr(copying, "_LOCK_TIMEOUT", "SET LOCAL lock_timeout = '100ms'")
    sessions, target = in_use(database_url), tmp_path / "target.sqlite3"
    with sessions.begin() as session:
        session.execute(text("UPDATE businesses SET name = 'Somebody writes'"))
        assert main(["move", f"sqlite:///{target}"]) == 1
        assert "stop the product and its workers first" in capsys.readouterr().err

    copy = copying.copy

    def somebody_tries_to_write(read, written, metadata):
        with pytest.raises(DBAPIError):
            write_what_would_be_lost()
        return copy(read, written, metadata)

    def write_what_would_be_lost():
        with sessions.begin() as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(text("SET LOCAL lock_timeout = '100ms'"))
            session.execute(text("UPDATE businesses SET name = 'Lost'"))

    monkeypatch.setattr(copying, "copy", somebody_tries_to_write)
    assert main(["move", f"sqlite:///{target}"]) == 0
    assert raw_rows(target)["businesses"][0].count("Somebody writes") == 1


def test_whoever_started_the_product_on_the_new_database_may_still_move_into_it(filled, unused, in_use):
    sessions = in_use(unused)
    with sessions.begin() as session:
        links.make(session, LinkPurpose.SET_UP, now=NOW)
    in_use(filled)
    assert main(["move", f"sqlite:///{unused}"]) == 0
    assert raw_rows(unused)["one_time_links"] == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("CREATE TABLE recipes (id integer)", "it has a table “recipes” that is not ours"),
        ("INSERT INTO services (code, name, cost_type) VALUES ('A', 'A', 'per_order')", "“services” has rows"),
    ],
)
def test_nothing_is_overwritten(filled, backup_file, unused, in_use, capsys, written, said):
    in_use(filled)
    with closing(sqlite3.connect(unused)) as connection:
        connection.execute(written)
        connection.commit()
    before = raw_rows(unused)
    assert main(["move", f"sqlite:///{unused}"]) == 1
    assert said in capsys.readouterr().err
    in_use(unused)
    assert main(["restore", str(backup_file)]) == 1
    assert said in capsys.readouterr().err
    assert raw_rows(unused) == before


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


def test_what_postgresql_does_not_take_is_named_and_nothing_arrives(filled, in_use, tmp_path, emptied_database, capsys):
    sessions = in_use(filled)
    with sessions.begin() as session:
        session.execute(text("UPDATE customers SET phone = :it WHERE id = 3"), {"it": "5" * 5_000})
    url = emptied_database.taken()
    assert main(["move", url]) == 1
    said = capsys.readouterr().err
    assert "A row of the table “customers” cannot be taken over: value too long" in said
    assert "5555" not in said
    with in_use(url)() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 0
        assert session.scalar(text("SELECT name FROM businesses")) == "My business"


def test_a_value_that_changes_on_its_way_is_noticed(filled, unused, in_use, capsys):
    in_use(filled)
    with closing(sqlite3.connect(unused)) as connection:
        connection.execute(
            "CREATE TRIGGER shortens AFTER INSERT ON customers WHEN new.id = 5"
            " BEGIN UPDATE customers SET name = 'Short' WHERE id = 5; END"
        )
        connection.commit()
    assert main(["move", f"sqlite:///{unused}"]) == 1
    assert "The copy of the table “customers” differs" in capsys.readouterr().err
    assert raw_rows(unused)["customers"] == []


def test_what_did_not_hold_before_is_kept_and_named(filled, in_use, tmp_path, capsys):
    sessions = in_use(filled)
    with sessions.begin() as session:
        invoice = session.scalars(select(Invoice.id).where(Invoice.due_minor > 1).limit(1)).one()
        session.execute(update(Invoice).where(Invoice.id == invoice).values(paid_minor=Invoice.paid_minor + 1))
    assert main(["--json", "backup", "-o", str(tmp_path / "backup")]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert any(f"invoice id {invoice}," in wrong for wrong in answer["wrong"])
    assert raw_rows(tmp_path / "backup")["invoices"] == raw_rows(filled)["invoices"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backup", "-o", "/nowhere/at/all/file"], "There is no folder /nowhere/at/all"),
        (["move", f"mysql://me:{PASSWORD}@host/db"], "must start with postgresql:// or sqlite:///"),
        (["move", f"postgresql://me:{PASSWORD}@127.0.0.1:1/db"], "cannot be reached"),
        (["move", f"postgresql://me:{PASSWORD}@[127/db"], "cannot be reached"),
        (["move", ""], "must start with postgresql:// or sqlite:///"),
        (["move", "IN USE"], "That is the database in use"),
    ],
)
def test_wrong_places_are_refused_without_showing_a_password(unused, in_use, capsys, arguments, said):
    in_use(unused)
    assert main([f"sqlite:///{unused}" if one == "IN USE" else one for one in arguments]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert PASSWORD not in told


def test_a_database_that_is_not_up_to_date_is_not_copied(in_use, tmp_path, capsys):
    in_use(tmp_path / "nothing.sqlite3")
    for arguments in (["backup"], ["move", f"sqlite:///{tmp_path / 'other'}"]):
        assert main(arguments) == 1
        assert "run “python -m billing_core migrate” first" in capsys.readouterr().err
    assert left_in(tmp_path / "data") == set()


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
