"""Whatever is wrong with the database, a disk or a pipe: a command says so in one sentence, without a password."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from billing_core import logs, runtime
from billing_core.__main__ import main
from billing_core.commands import faults, worker
from billing_core.database import Sessions, connect, sqlite
from billing_core.settings import settings
from tests.commands import every_command

PROJECT = Path(__file__).parents[2]
HIDDEN = "not-to-be-shown"
WRONG_PASSWORD = b'SFATAL\0C28P01\0Mpassword authentication failed for user "me"\0\0'
# One of them shows what no database holds.
EVERY = set(every_command.names()) - {"import template"}
# They look at the database, whoever else writes to it; three of them find nothing to do in it.
READ = {
    "backup",
    "imports list",
    "imports show",
    "jobs",
    "renewals run",
    "usage archive",
    "usage export",
    "usage invoice",
    "usage show",
    "verify",
    "worker",
}
# They bring the database up to date themselves.
MIGRATE = {"migrate", "demo", "restore"}


@pytest.fixture(autouse=True)
def in_use(monkeypatch, tmp_path) -> Iterator[Callable[[str], Sessions]]:
    """Says which database the process has. Nobody waits for a lock, and a worker ends at once."""
    monkeypatch.setenv("BILLING_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    settings().signing_key()
    monkeypatch.setattr(worker, "_until_told_to_end", ended)
    monkeypatch.setattr(logs, "configure", lambda: None)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)
    opened = []

    def use(url: str) -> Sessions:
        opened.append(Sessions(connect(url)))
        monkeypatch.setattr(runtime, "sessions", lambda: opened[-1])
        return opened[-1]

    yield use
    for sessions in opened:
        sessions.engine.dispose()
    settings.cache_clear()


async def ended() -> None:
    """At once."""


@contextmanager
def not_there(file: Path) -> Iterator[str]:
    yield f"postgresql+psycopg://me:{HIDDEN}@127.0.0.1:1/db"


@contextmanager
def wrong_password(file: Path) -> Iterator[str]:
    def answer() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                while len(connection.recv(1024)) == 8:
                    connection.sendall(b"N")  # no encryption
                connection.sendall(b"E" + (len(WRONG_PASSWORD) + 4).to_bytes(4) + WRONG_PASSWORD)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=answer)
        answering.start()
        yield f"postgresql+psycopg://me:{HIDDEN}@127.0.0.1:{listening.getsockname()[1]}/db"
        listening.shutdown(socket.SHUT_RDWR)
        answering.join()


@contextmanager
def no_database(file: Path) -> Iterator[str]:
    file.write_text("Dear diary" * 1_000)
    yield f"sqlite:///{file}"


@contextmanager
def a_folder(file: Path) -> Iterator[str]:
    yield f"sqlite:///{file.parent}"


@contextmanager
def locked(file: Path) -> Iterator[str]:
    with closing(sqlite3.connect(file)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        yield f"sqlite:///{file}"


@contextmanager
def not_migrated(file: Path) -> Iterator[str]:
    file.unlink()
    yield f"sqlite:///{file}"


FAULTS = [
    (not_there, "Connection refused", EVERY),
    (wrong_password, "password authentication failed", EVERY),
    (no_database, "file is not a database", EVERY),
    (a_folder, "unable to open database file", EVERY),
    (locked, "database is locked", EVERY - READ - {"move"}),
    (locked, "Somebody is writing to the database", {"move"}),
    (not_migrated, "run “python -m billing_core migrate” first", EVERY - MIGRATE),
]
EACH_FAULT = [(fault, words, name) for fault, words, names in FAULTS for name in sorted(names)]


@pytest.fixture
def migrated(sqlite_template, tmp_path) -> Path:
    return Path(shutil.copyfile(sqlite_template, tmp_path / "billing.sqlite3"))


def typed(name: str, folder: Path, template: Path) -> list[str]:
    if name == "restore":
        shutil.copyfile(template, folder / "backup.sqlite3")
    return every_command.typed(name, folder)


def refusal(command: list[str], capsys) -> str:
    """The one sentence with which the command ends."""
    assert main(command) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (sentence,) = printed.err.splitlines()
    assert HIDDEN not in sentence
    return sentence


@pytest.mark.parametrize(
    ("fault", "words", "name"), EACH_FAULT, ids=[f"{fault.__name__}-{name}" for fault, _, name in EACH_FAULT]
)
def test_a_fault_of_the_database_ends_a_command(fault, words, name, migrated, in_use, sqlite_template, capsys):
    with fault(migrated) as url:
        in_use(url)
        assert words in refusal(typed(name, migrated.parent, sqlite_template), capsys)


@pytest.mark.parametrize("name", sorted(EVERY - READ - {"migrate", "move"}))
def test_a_database_that_may_not_be_written_ends_a_command(name, migrated, in_use, sqlite_template, capsys):
    sessions = in_use(f"sqlite:///{migrated}")
    event.listen(sessions.engine, "connect", lambda connection, _record: connection.execute("PRAGMA query_only = ON"))
    command = typed(name, migrated.parent, sqlite_template)
    assert "attempt to write a readonly database" in refusal(command, capsys)


def test_a_full_disk_ends_a_command(migrated, in_use, capsys):
    sessions = in_use(f"sqlite:///{migrated}")
    event.listen(
        sessions.engine, "connect", lambda connection, _record: connection.execute("PRAGMA max_page_count = 1")
    )
    file = migrated.parent / "many.csv"
    file.write_text("customer_ref,name\n" + "".join(f"C{number},{'A' * 200}\n" for number in range(1_000)))
    assert "database or disk is full" in refusal(["import", "customers", str(file)], capsys)


def test_a_postgresql_that_does_not_answer_ends_a_command(in_use, capsys):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        in_use(f"postgresql+psycopg://me:{HIDDEN}@127.0.0.1:{silent.getsockname()[1]}/db?connect_timeout=2")
        assert "timeout" in refusal(["verify"], capsys)


@pytest.mark.parametrize("empty_database", ["postgresql"], indirect=True)
def test_a_postgresql_without_our_tables_ends_a_command(empty_database, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "sessions", lambda: empty_database)
    assert "run “python -m billing_core migrate” first" in refusal(["verify"], capsys)


def test_a_postgresql_that_may_not_be_written_ends_a_command(emptied_database, in_use, capsys):
    in_use(f"{emptied_database.taken()}&options=-c%20default_transaction_read_only%3Don")
    assert "read-only transaction" in refusal(["user", "add", "ada@acme.example", "--role", "admin"], capsys)


@pytest.mark.parametrize("name", ["backup", "migrate", "move", "verify", "worker"])
def test_a_database_of_a_newer_version_ends_a_command(name, migrated, in_use, sqlite_template, capsys):
    with closing(sqlite3.connect(migrated)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("ALTER TABLE businesses RENAME COLUMN time_zone TO zone")
        connection.commit()
    in_use(f"sqlite:///{migrated}")
    words = "The database was made by a newer version of the product: install that one"
    assert refusal(typed(name, migrated.parent, sqlite_template), capsys) == words


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["import", "customers", "MISSING/customers.csv"], "There is no file"),
        (["import", "customers", "MISSING/.."], "There is no file"),
        (["import", "customers", "FILE/customers.csv"], "Not a directory"),
        (["restore", "MISSING/backup.sqlite3"], "There is no file"),
        (["restore", "FILE/backup.sqlite3"], "There is no file"),
        (["backup", "-o", "MISSING/backup.sqlite3"], "There is no folder"),
        (["backup", "-o", "/proc/backup.sqlite3"], "cannot be written"),
        (["report", "generate", "--customer", "ACME", *every_command.PERIOD, "-o", "/dev/full"], "No space left"),
        (["report", "generate", "--customer", "ACME", *every_command.PERIOD, "-o", "MISSING/it.json"], "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_or_written_ends_a_command(command, words, migrated, in_use, capsys):
    in_use(f"sqlite:///{migrated}")
    assert main(every_command.typed("import customers", migrated.parent)) == 0
    capsys.readouterr()
    places = {"MISSING": migrated.parent / "missing", "FILE": migrated}
    named = [part.replace(place, str(path)) for part in command for place, path in places.items() if place in part]
    plain = [part for part in command if not any(place in part for place in places)]
    assert words in refusal([*plain, *named], capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "user", "key", "report", *every_command.names()])
def test_output_that_cannot_be_written_is_told(name):
    command = [sys.executable, "-m", "billing_core", *name.split(), "--help"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    os.close(reading)
    full = os.open("/dev/full", os.O_WRONLY)
    for output, words in ((writing, "The output was closed"), (full, "No space left on device")):
        ended = subprocess.run(
            command, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.PIPE, text=True, timeout=300
        )
        os.close(output)
        assert ended.returncode == 1
        assert words in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_password_that_is_no_text_ends_a_command(migrated):
    command = [sys.executable, "-m", "billing_core", *every_command.typed("user add", migrated.parent)]
    hard_to_guess = bytes.fromhex("c7e9f1d3fbe2cdf8d6eac9f3dcfe")
    ended = subprocess.run(
        [*command, "--password-stdin"], cwd=PROJECT, input=hard_to_guess, capture_output=True, timeout=300
    )
    assert (ended.returncode, ended.stderr) == (1, b"The input or the output is not text in UTF-8\n")


@pytest.mark.parametrize("error", [KeyError("a bug"), sqlite3.IntegrityError("CHECK constraint failed"), TypeError()])
def test_a_bug_stays_one(error):
    assert faults.sentence(error) is None
