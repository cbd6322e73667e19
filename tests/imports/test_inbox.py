"""Dropped files: kept apart from each other and from other people, worked on in the background, found again."""

import io

import pytest

from billing_core.dates import utc_now
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import Role, actor_with
from billing_core.imports import inbox, service
from billing_core.imports.inbox import State
from billing_core.orders.models import Order
from tests.imports.files import row_count

ADA = actor_with(Role.ADMIN, user_id=1, name="Ada")
EVE = actor_with(Role.ADMIN, user_id=2, name="Eve")
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CUSTOMERS = b"customer_ref,name\nACME,Acme Inc\n"
ORDERS = b"order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\n"


@pytest.fixture(autouse=True)
def empty_register():
    yield
    inbox._register.clear()


@pytest.fixture
def receive(sessions, tmp_path):
    def one(name: str, content: bytes, actor=ADA) -> inbox.Received:
        with sessions() as session:
            return inbox.receive(session, actor, tmp_path / "imports", name, io.BytesIO(content))

    return one


def finish(*files: inbox.Received) -> None:
    """Wait until what was begun with these files is over."""
    for received in files:
        assert received.work is not None
        received.work.join(300)
        assert not received.busy


def test_files_are_listed_in_the_order_in_which_they_depend_on_each_other(receive):
    receive("orders.csv", ORDERS)
    receive("customers.csv", CUSTOMERS)
    assert [received.file_name for received in inbox.files_of(ADA)] == ["customers.csv", "orders.csv"]
    assert inbox.files_of(EVE) == []


def test_files_are_checked_and_imported_in_the_background(receive, sessions):
    receive("orders.csv", ORDERS)
    receive("customers.csv", CUSTOMERS)
    files = inbox.files_of(ADA)
    inbox.check(sessions, ADA, files, now=utc_now())
    finish(*files)
    assert [received.state for received in files] == [State.READY, State.READY]
    assert row_count(sessions, Order) == 0
    inbox.import_(sessions, ADA, files, now=utc_now())
    finish(*files)
    assert [received.state for received in files] == [State.IMPORTED, State.IMPORTED]
    assert row_count(sessions, Order) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"customer_ref,name\n", "has no rows below them"),
        (b"customer_ref,name\n\n\n\n\n\n\n\n", "has no rows below them"),
        (b"customer_ref,name\nACME," + 200_000 * b"x", "Line 2, column “name”: the cell is longer than 131,072"),
        ("customer_ref,name\nACME,Köln\n".encode("latin-1"), "Line 2 is not UTF-8"),
    ],
)
def test_a_file_whose_rows_cannot_be_read_says_so_as_soon_as_it_is_dropped(receive, content, reason):
    received = receive("customers.csv", content)
    assert received.state is State.REFUSED
    assert reason in received.problem
    assert received.layout is None, "whoever sees columns to choose would look for the fault there"


def test_blank_lines_below_the_header_are_no_end_of_the_file(receive):
    received = receive("customers.csv", b"customer_ref,name\n" + 20 * b"\n" + b"ACME,Acme Inc\n")
    assert received.state is State.NEW
    assert received.preview == [["ACME", "Acme Inc"]]


def test_a_refused_file_stops_those_after_it(receive, sessions):
    receive("orders.csv", ORDERS)
    receive("customers.csv", CUSTOMERS.replace(b"ACME", b""))
    files = inbox.files_of(ADA)
    inbox.import_(sessions, ADA, files, now=utc_now())
    finish(*files)
    assert [(received.state, received.problem) for received in files] == [
        (State.REFUSED, ""),
        (State.NEW, "Not imported, because customers.csv was refused."),
    ]
    rejected = inbox.rejected_rows(ADA, files[0].token).read_text("utf-8-sig")
    assert rejected == "line,column,value,reason\n2,customer_ref,,is empty\n"


def test_a_rejected_formula_is_harmless_in_a_spreadsheet(receive, sessions):
    received = receive("customers.csv", b"customer_ref,name,country\nA,B,=1+1\n")
    inbox.check(sessions, ADA, [received], now=utc_now())
    finish(received)
    assert "2,country,'=1+1,is not a country" in received.rejected_path.read_text("utf-8-sig")


def test_rejected_rows_are_for_whoever_dropped_the_file(receive, sessions):
    received = receive("customers.csv", b"customer_ref,name\nA,\n")
    inbox.check(sessions, ADA, [received], now=utc_now())
    finish(received)
    for actor, token in ((EVE, received.token), (ADA, "another")):
        with pytest.raises(NotFound):
            inbox.rejected_rows(actor, token)
    with pytest.raises(Forbidden):
        inbox.rejected_rows(actor_with(Role.MANAGER, user_id=1, name="Mario"), received.token)


def test_an_unexpected_failure_leaves_no_file_busy_and_a_reference_to_the_log(receive, sessions, monkeypatch, capsys):
    received = receive("customers.csv", CUSTOMERS)

    def broken(*_arguments, **_named):
        raise ZeroDivisionError

    monkeypatch.setattr(service, "apply", broken)
    inbox.import_(sessions, ADA, [received], now=utc_now())
    finish(received)
    assert received.state is State.REFUSED
    told = "Something went wrong that is not the file's fault. Nothing of it was imported. Reference "
    assert received.problem.startswith(told)
    assert received.problem.removeprefix(told) in capsys.readouterr().out


def test_a_removed_file_leaves_nothing_behind(receive):
    received = receive("customers.csv", CUSTOMERS)
    inbox.discard(received)
    assert inbox.files_of(ADA) == []
    assert not received.folder.exists()
