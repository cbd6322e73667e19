"""A file that holds several kinds: dropped once, checked and imported in one go, each part to be left out."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Invalid
from billing_core.imports import Kind, inbox, steps, upkeep
from billing_core.imports.models import FileState, ImportFile, ImportFilePart, ImportJob, ImportRun
from billing_core.orders.models import Order, OrderLine
from tests.imports.files import row_count
from tests.imports.inbox.dropped import ADA, NOW
from tests.imports.test_layouts import example, what_is_there

ORDERS = example("shopify_orders")


@pytest.fixture
def receive(sessions):
    return lambda content, name="orders_export.csv": inbox.receive(sessions, ADA, name, io.BytesIO(content), now=NOW)


@pytest.fixture
def parts(sessions):
    def of() -> dict[Kind, inbox.Received]:
        with sessions() as session:
            return {part.kind: part for part in inbox.files_of(session, ADA)}

    return of


@pytest.fixture
def work(sessions, parts):
    """Have all parts checked or imported."""

    def one(request) -> None:
        tokens = [part.token for part in parts().values()]
        with sessions.begin() as session:
            job = request(session, ADA, tokens[:1], now=NOW)
        steps.work_off(sessions, job)

    return one


def leave_out(sessions, part) -> None:
    with sessions.begin() as session:
        inbox.leave_out(session, ADA, part.token, True)


def test_a_shop_s_orders_are_customers_orders_and_lines_in_one_go(sessions, receive, parts, work):
    receive(ORDERS)
    assert list(parts()) == [Kind.CUSTOMERS, Kind.ORDERS, Kind.ORDER_ITEMS]
    assert {part.source for part in parts().values()} == {"Shopify: orders"}
    work(inbox.check)
    found = {kind: (part.state, part.outcome.new) for kind, part in parts().items()}
    assert found == {
        Kind.CUSTOMERS: (FileState.READY, 2),
        Kind.ORDERS: (FileState.READY, 3),
        Kind.ORDER_ITEMS: (FileState.READY, 4),
    }
    assert row_count(sessions, Customer) == 0
    work(inbox.import_)
    assert {part.state for part in parts().values()} == {FileState.IMPORTED}
    assert [row_count(sessions, model) for model in (Customer, Order, OrderLine)] == [2, 3, 4]
    assert row_count(sessions, ImportFilePart) == 0
    with sessions() as session:
        runs = [
            tuple(row) for row in session.execute(select(ImportRun.kind, ImportRun.file_name).order_by(ImportRun.id))
        ]
    assert runs == [(kind, "orders_export.csv") for kind in ("customers", "orders", "order-items")]


def test_the_shop_s_orders_that_once_became_customers(sessions, receive, parts, work):
    receive(example("shopify_one_line_orders"))
    work(inbox.check)
    # 01:48 of the 6th where the shop is, is the 5th in UTC.
    (question,) = parts()[Kind.ORDERS].outcome.questions
    assert [choice.reading for choice in question.choices] == ["here", "there"]
    answered = replace(parts()[Kind.ORDERS].mapping["order_date"], readings=("here",))
    with sessions.begin() as session:
        inbox.choose_origins(session, ADA, parts()[Kind.ORDERS].token, {"order_date": answered})
    work(inbox.check)
    work(inbox.import_)
    with sessions() as session:
        found = what_is_there(session)
        zips = session.scalars(select(Order.ship_to_postal_code).order_by(Order.number)).all()
    assert found["orders"] == [
        ("#5001", "Person One", "2026-04-05", "shipped"),
        ("#5002", "Person Two", "2026-04-05", "shipped"),
    ]
    assert found["order-items"] == [("#5001", "MUG-B", 1), ("#5002", "MUG-R", 2)]
    assert [name for _, name, _ in found["customers"]] == ["Person One", "Person Two"]
    assert zips == ["01067", "62701"]


def test_a_part_that_is_left_out_is_not_imported(sessions, receive, parts, work, take_in):
    take_in("customers", "customer_ref,name\nann@example.com,Ann\nbob@example.com,Bob\n")
    receive(ORDERS)
    leave_out(sessions, parts()[Kind.CUSTOMERS])
    work(inbox.check)
    assert [part.state for part in parts().values()] == [FileState.NEW, FileState.READY, FileState.READY]
    work(inbox.import_)
    assert [part.state for part in parts().values()] == [FileState.IMPORTED, FileState.IMPORTED]
    with sessions() as session:
        assert set(session.scalars(select(Customer.name))) == {"Ann", "Bob"}
    assert [row_count(sessions, model) for model in (Order, OrderLine)] == [3, 4]
    assert row_count(sessions, ImportFilePart) == 0


def test_leaving_a_part_out_discards_the_check_of_all(sessions, receive, parts, work):
    receive(ORDERS)
    work(inbox.check)
    leave_out(sessions, parts()[Kind.CUSTOMERS])
    assert {part.state for part in parts().values()} == {FileState.NEW}
    work(inbox.check)
    assert parts()[Kind.ORDERS].state is FileState.REFUSED
    for kind in (Kind.ORDERS, Kind.ORDER_ITEMS):
        leave_out(sessions, parts()[kind])
    with pytest.raises(Invalid, match="left out"):
        work(inbox.check)


def test_a_refused_part_leaves_nothing_and_says_which(sessions, receive, parts, work):
    receive(ORDERS.replace(b",2026-03-04 09:59:00 +0000,1,Gift", b",soon,1,Gift"))
    work(inbox.import_)
    states = {kind: part.state for kind, part in parts().items()}
    assert states == {
        Kind.CUSTOMERS: FileState.NEW,
        Kind.ORDERS: FileState.REFUSED,
        Kind.ORDER_ITEMS: FileState.NEW,
    }
    assert [(row.line, row.value) for row in parts()[Kind.ORDERS].outcome.rejections] == [(4, "soon")]
    with sessions() as session:
        listed = b"".join(inbox.rejected_rows(session, ADA, parts()[Kind.ORDERS].token))
    assert b"soon" in listed
    assert [row_count(sessions, model) for model in (Customer, Order, OrderLine, ImportRun)] == [0, 0, 0, 0]


def test_a_file_goes_with_all_of_its_parts_and_leaves_nothing(sessions, receive, parts):
    receive(ORDERS)
    with sessions.begin() as session:
        inbox.discard(session, ADA, [parts()[Kind.ORDER_ITEMS].token])
    assert parts() == {}
    upkeep.forget(sessions, now=NOW)
    assert [row_count(sessions, model) for model in (ImportFile, ImportFilePart)] == [0, 0]


def test_an_old_file_stays_as_long_as_a_part_of_it_is_worked_on(sessions, receive, parts, work):
    receive(ORDERS)
    leave_out(sessions, parts()[Kind.CUSTOMERS])
    with sessions.begin() as session:
        inbox.check(session, ADA, [parts()[Kind.ORDERS].token], now=NOW)
    with sessions.begin() as session, pytest.raises(Conflict):
        inbox.check(session, ADA, [parts()[Kind.ORDER_ITEMS].token], now=NOW)
    upkeep.forget(sessions, now=NOW + timedelta(days=2))
    assert len(parts()) == 3
    with sessions() as session:
        job = session.scalar(select(ImportJob.id))
    steps.work_off(sessions, job)
    upkeep.forget(sessions, now=NOW + timedelta(days=2))
    assert [row_count(sessions, model) for model in (ImportFile, ImportFilePart)] == [0, 0]


def test_blank_rows_below_an_order_s_first_line_are_its_lines(sessions, receive, parts, work):
    text = (
        "Order No,Order Date,Customer,Customer Name,SKU,Qty\n"
        "SO-1,2026-03-02,C1,Acme,A-1,2\n,,,,B-2,1\nSO-2,2026-03-03,C2,Bolt,A-1,5\n,,,,,\n,,,,C-3,4\n"
    )
    receive(text.encode(), "export.csv")
    work(inbox.check)
    assert {kind: part.outcome.new for kind, part in parts().items()} == {
        Kind.CUSTOMERS: 2,
        Kind.ORDERS: 2,
        Kind.ORDER_ITEMS: 4,
    }
    work(inbox.import_)
    with sessions() as session:
        lines = what_is_there(session)["order-items"]
    assert lines == [("SO-1", "A-1", 2), ("SO-1", "B-2", 1), ("SO-2", "A-1", 5), ("SO-2", "C-3", 4)]


def test_rows_of_an_order_that_contradict_each_other_are_asked_about(sessions, receive, parts, work):
    text = (
        "Order No,Order Date,Customer,SKU,Qty\n"
        "SO-1,2026-03-02,C1,A-1,2\nSO-1,2026-03-02,C1,B-2,1\nSO-2,2026-03-03,C1,A-1,5\nSO-2,2026-03-09,C1,C-3,4\n"
    )
    receive(b"customer_ref,name\nC1,Acme\n", "customers.csv")
    receive(text.encode(), "export.csv")
    with sessions.begin() as session:
        job = inbox.check(session, ADA, [part.token for part in inbox.files_of(session, ADA)], now=NOW)
    steps.work_off(sessions, job)
    orders = parts()[Kind.ORDERS]
    assert orders.state is FileState.REFUSED
    assert (orders.outcome.new, orders.outcome.repeated) == (2, 1)


def test_an_order_number_that_is_missing_in_a_file_of_lines_is_no_line_of_the_order_above(one_order, dry_run):
    refused = dry_run("order-items", "order_number,sku,quantity\nSO-1,A-1,2\n,B-2,1\n")
    assert [(row.line, row.reason) for row in refused.rejections] == [(3, "is empty")]
