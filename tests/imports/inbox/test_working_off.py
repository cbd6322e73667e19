"""Dropped files are checked and imported in the background, in the order in which they need each other."""

import pytest
from sqlalchemy import event

from billing_core.errors import Conflict, Invalid
from billing_core.imports import Kind, claims, inbox, steps
from billing_core.imports.incoming import COMPARING, READING
from billing_core.imports.mapping import Fixed
from billing_core.imports.models import FileState, ImportFilePart, ImportRun
from billing_core.orders.models import Order, Product
from tests.at_once import at_once
from tests.imports.files import row_count
from tests.imports.inbox.dropped import ADA, CUSTOMERS, ORDERS, rejected


def test_files_are_checked_and_imported_in_the_background(receive, requested, files, sessions):
    receive("orders.csv", ORDERS)
    receive("customers.csv", CUSTOMERS)
    job = requested(inbox.check)
    assert [received.state for received in files()] == [FileState.WAITING, FileState.WAITING]
    steps.work_off(sessions, job)
    assert [received.state for received in files()] == [FileState.READY, FileState.READY]
    assert [received.outcome.new for received in files()] == [1, 1]
    assert row_count(sessions, Order) == 0
    steps.work_off(sessions, requested(inbox.import_))
    assert [(received.state, received.outcome.applied) for received in files()] == [(FileState.IMPORTED, True)] * 2
    assert row_count(sessions, Order) == 1
    assert row_count(sessions, ImportFilePart) == 0, "what was imported is not kept a second time"


def test_what_was_found_is_shown_as_it_was_found(receive, requested, files, sessions):
    """What a check tells is the same after it was stored, up to the values that become texts."""
    steps.work_off(sessions, requested(inbox.import_, receive("customers.csv", CUSTOMERS).token))
    changed = receive("c.csv", b"customer_ref,name,tax_id\nACME,Acme Ltd,T1\nBETA,,\n")
    steps.work_off(sessions, requested(inbox.check, changed.token))
    (stored,) = [received.outcome for received in files() if received.token == changed.token]
    assert (stored.kind, stored.new, stored.changed, stored.unchanged, stored.rejected) == (Kind.CUSTOMERS, 0, 1, 0, 1)
    assert [(row.line, row.column, row.value, row.reason) for row in stored.rejections] == [(3, "name", "", "is empty")]
    assert sorted((one.line, one.row, one.column, one.old, one.new) for one in stored.changes) == [
        (2, "ACME", "name", "Acme Inc", "Acme Ltd"),
        (2, "ACME", "tax_id", "", "T1"),
    ]


def test_of_two_who_press_at_once_one_begins(receive, requested, sessions):
    token = receive("customers.csv", CUSTOMERS).token
    answers = at_once(*[lambda: requested(inbox.import_, token)] * 3)
    (job,) = [answer for answer in answers if isinstance(answer, int)]
    assert [type(answer) for answer in answers if answer != job] == [Conflict, Conflict]
    steps.work_off(sessions, job)
    assert row_count(sessions, ImportRun) == 1


@pytest.mark.parametrize("request_", [inbox.check, inbox.import_])
def test_a_refused_file_holds_up_those_alone_that_need_it(receive, requested, files, sessions, request_):
    """The services need nothing, the orders a customer, and their lines the orders."""
    receive("lines.csv", b"order_number,sku,quantity\nSO-1,A,1\n")
    receive("orders.csv", ORDERS)
    receive("services.csv", b"service_code,name,cost_type\nPICK,Picking,per_item\n")
    refused = receive("customers.csv", CUSTOMERS.replace(b"Acme Inc", b""))
    steps.work_off(sessions, requested(request_))
    again = "that are not there. Once they are, check it again."
    assert [(received.state, received.problem) for received in files()] == [
        (FileState.REFUSED, ""),
        (FileState.READY if request_ is inbox.check else FileState.IMPORTED, ""),
        (FileState.REFUSED, f"Waits for customers.csv, which was refused: 1 of its rows name customers {again}"),
        (FileState.REFUSED, f"Waits for orders.csv, which was refused: 1 of its rows name orders {again}"),
    ]
    assert rejected(sessions, refused.token).decode("utf-8-sig") == (
        "customer_ref,name,Not imported because\r\nACME,,name: is empty\r\n"
    )


@pytest.mark.parametrize("request_", [inbox.check, inbox.import_])
def test_what_is_for_every_customer_waits_for_those_that_were_refused(receive, requested, files, sessions, request_):
    """There is one customer already, for whom alone the product would be."""
    receive("before.csv", CUSTOMERS)
    steps.work_off(sessions, requested(inbox.import_))
    receive("customers.csv", b"customer_ref,name\nBOLT,\n")
    token = receive("products.csv", b"sku,name\nA,Anvil\n").token
    with sessions.begin() as session:
        inbox.choose_kind(session, ADA, token, Kind.PRODUCTS)
        inbox.choose_origins(session, ADA, token, {"customer_ref": Fixed("*")})
    steps.work_off(sessions, requested(request_, *[f.token for f in files() if f.state is FileState.NEW]))
    (held_up,) = [received for received in files() if received.token == token]
    assert held_up.state is FileState.REFUSED
    assert held_up.problem.startswith("Waits for customers.csv, which was refused: this file is for every customer")
    assert row_count(sessions, Product) == 0


def test_nothing_to_work_on_is_refused(requested):
    with pytest.raises(Invalid, match="Drop a file first"):
        requested(inbox.check)


def test_progress_is_told_once_a_second_and_never_waited_for(receive, requested, sessions, monkeypatch):
    """Also while the import's own transaction lets nobody else write."""
    content = b"customer_ref,name\n" + b"".join(b"C%d,Name\n" % number for number in range(5_000))
    receive("customers.csv", content)
    job = requested(inbox.import_)
    told, clock = [], iter(range(10_000))
    monkeypatch.setattr(claims.time, "monotonic", lambda: next(clock) / 4)

    def watch(_connection, _cursor, statement, parameters, _context, _many):
        if statement.startswith("UPDATE import_files SET state") and "step" in statement:
            told.append(parameters)

    event.listen(sessions.engine, "before_cursor_execute", watch)
    steps.work_off(sessions, job)
    event.remove(sessions.engine, "before_cursor_execute", watch)
    # 17 batches of 300 rows, a quarter of a second each, the first at once; and the steps after the reading.
    reading = [each for each in map(str, told) if READING in each]
    assert 4 <= len(reading) <= 6
    assert any(COMPARING in each for each in map(str, told))
