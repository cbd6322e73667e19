"""``backup``, ``restore`` and ``move``: the same rows everywhere, or none at all."""

import json
import sqlite3
import stat
from contextlib import closing

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from billing_core.__main__ import main
from billing_core.audit.models import AuditEntry
from billing_core.bill_runs import planning, taking
from billing_core.customers.models import Customer
from billing_core.database import Sessions, copying, sqlite
from billing_core.identity import SYSTEM, links
from billing_core.identity.models import LinkPurpose
from billing_core.invoices.models import Invoice
from tests.commands.copied import NOW, backup_file, filled, filled_file, in_use, left_in, unused
from tests.database.raw_rows import raw_rows
from tests.invoices.company import an_invoice
from tests.reports.company import MARCH

__all__ = ["backup_file", "filled", "filled_file", "in_use", "unused"]

pytestmark = [pytest.mark.slow, pytest.mark.sql]
PASSWORD = "not-to-be-shown"


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


def test_a_moved_run_goes_on(filled, unused, in_use):
    sessions = in_use(filled)
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id).limit(1)).one()
        run_id = planning.plan(session, SYSTEM, customer_ids=[customer_id], period=MARCH, now=NOW)
    assert main(["move", f"sqlite:///{unused}"]) == 0
    with in_use(unused)() as session:
        assert taking.unfinished(session) == [(run_id, 1)]


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
