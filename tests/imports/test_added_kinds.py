"""A kind that a file was not found to hold, and that somebody says it does."""

import io

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import Actor
from billing_core.imports import Kind, inbox, steps
from billing_core.imports.mapping import from_column
from billing_core.imports.models import FileState
from billing_core.orders.models import Order, OrderLine
from tests.imports.inbox.dropped import ADA, EVE, NOW
from tests.imports.test_layouts import example
from tests.reports.company import a_customer

# By its columns these are order lines; that they are orders as well, “When” and “Buyer” do not tell.
LINES = b"Order,Item,Qty,When,Buyer\nSO-1,A,2,2025-03-04,ACME\n,B,1,,\nSO-2,A,3,2025-03-05,BETA\n"
NOBODY = Actor(ADA.user_id, "Ada", frozenset())


@pytest.fixture
def receive(sessions):
    return lambda content: inbox.receive(sessions, ADA, "export.csv", io.BytesIO(content), now=NOW)


@pytest.fixture
def parts(sessions):
    def of() -> dict[Kind, inbox.Received]:
        with sessions() as session:
            return {part.kind: part for part in inbox.files_of(session, ADA)}

    return of


@pytest.fixture
def add(sessions):
    def one(token: str, kind: Kind, actor=ADA, **columns: str) -> None:
        with sessions.begin() as session:
            inbox.add_kind(session, actor, token, kind)
        with sessions.begin() as session:
            (part,) = [part for part in inbox.files_of(session, actor) if part.kind is kind]
            inbox.choose_origins(session, actor, part.token, {ours: from_column(own) for ours, own in columns.items()})

    return one


@pytest.fixture
def work(sessions, parts):
    def one(request) -> None:
        tokens = [part.token for part in parts().values()]
        with sessions.begin() as session:
            job = request(session, ADA, tokens[:1], now=NOW)
        steps.work_off(sessions, job)

    return one


def all_three(receive, add) -> None:
    token = receive(LINES).token
    add(token, Kind.ORDERS, order_date="When", customer_ref="Buyer")
    add(token, Kind.CUSTOMERS, customer_ref="Buyer", name="Buyer")


def test_a_file_of_lines_that_is_said_to_hold_orders_and_customers_goes_in_as_all_three(
    sessions, receive, parts, add, work
):
    all_three(receive, add)
    assert list(parts()) == [Kind.CUSTOMERS, Kind.ORDERS, Kind.ORDER_ITEMS]
    work(inbox.import_)
    assert {part.state for part in parts().values()} == {FileState.IMPORTED}
    with sessions() as session:
        assert session.scalars(select(Customer.ref).order_by(Customer.ref)).all() == ["ACME", "BETA"]
        orders = select(Order.number, Order.order_date, Customer.ref)
        orders = orders.join(Customer, Customer.id == Order.customer_id).order_by(Order.number)
        assert [(number, str(day), ref) for number, day, ref in session.execute(orders)] == [
            ("SO-1", "2025-03-04", "ACME"),
            ("SO-2", "2025-03-05", "BETA"),
        ]
        lines = select(Order.number, OrderLine.sku, OrderLine.quantity).join(Order, Order.id == OrderLine.order_id)
        rows = session.execute(lines.order_by(Order.number, OrderLine.sku))
        # The blank number of the second row is that of the order above it.
        assert [(number, sku, int(quantity)) for number, sku, quantity in rows] == [
            ("SO-1", "A", 2),
            ("SO-1", "B", 1),
            ("SO-2", "A", 3),
        ]


def test_customers_that_are_there_stay_as_they_are_beside_orders(sessions, receive, parts, add, work):
    with sessions.begin() as session:
        a_customer(session, ref="ACME", name="Acme Incorporated")
    all_three(receive, add)
    work(inbox.check)
    outcome = parts()[Kind.CUSTOMERS].outcome
    assert (outcome.new, outcome.changed, outcome.unchanged) == (1, 0, 1)
    work(inbox.import_)
    with sessions() as session:
        assert session.scalar(select(Customer.name).where(Customer.ref == "ACME")) == "Acme Incorporated"


def test_the_first_rows_are_shown_by_the_same_rules(sessions, receive, parts, add):
    all_three(receive, add)
    with sessions() as session:
        shown = {kind: inbox.first_rows(session, ADA, part) for kind, part in parts().items()}
    assert [row.values["customer_ref"] for row in shown[Kind.CUSTOMERS]] == ["ACME", "BETA"]
    assert [row.values["order_number"] for row in shown[Kind.ORDER_ITEMS]] == ["SO-1", "SO-1", "SO-2"]


def test_adding_a_kind_discards_the_check_and_it_can_be_taken_out_again(sessions, receive, parts, add, work):
    token = receive(b"customer_ref,name\nACME,Acme Inc\n").token
    work(inbox.check)
    assert parts()[Kind.CUSTOMERS].state is FileState.READY
    add(token, Kind.PRODUCTS)
    found = parts()
    assert (found[Kind.CUSTOMERS].state, found[Kind.CUSTOMERS].outcome) == (FileState.NEW, None)
    with sessions.begin() as session:
        inbox.leave_out(session, ADA, found[Kind.PRODUCTS].token, True)
    work(inbox.import_)
    assert {kind: part.state for kind, part in parts().items()} == {Kind.CUSTOMERS: FileState.IMPORTED}


def test_a_file_has_each_kind_once(sessions, receive, parts, add):
    token = receive(example("shopify_orders")).token
    with pytest.raises(Conflict, match="has its orders already"):
        add(token, Kind.ORDERS)
    with sessions.begin() as session:
        inbox.leave_out(session, ADA, parts()[Kind.ORDERS].token, True)
    with pytest.raises(Conflict, match="has its orders already"):
        add(token, Kind.ORDERS)
    with pytest.raises(Conflict, match="has its orders already"), sessions.begin() as session:
        inbox.choose_kind(session, ADA, parts()[Kind.CUSTOMERS].token, Kind.ORDERS)


def test_what_a_file_is_must_be_said_before_what_else_it_is(receive, add):
    token = receive(b"Customer,Company,SKU\nC1,Acme,A-1\n").token
    with pytest.raises(Invalid, match=r"Say first what export\.csv contains"):
        add(token, Kind.PRODUCTS)


def test_nobody_adds_to_what_is_worked_on_or_imported_or_another_s(sessions, receive, add, work):
    token = receive(b"customer_ref,name\nACME,Acme Inc\n").token
    with pytest.raises(Forbidden):
        add(token, Kind.PRODUCTS, actor=NOBODY)
    with pytest.raises(NotFound, match="no longer there"):
        add(token, Kind.PRODUCTS, actor=EVE)
    with sessions.begin() as session:
        job = inbox.check(session, ADA, [token], now=NOW)
    with pytest.raises(Conflict, match="can no longer be changed"):
        add(token, Kind.PRODUCTS)
    steps.work_off(sessions, job)
    work(inbox.import_)
    with pytest.raises(Conflict, match="can no longer be changed"):
        add(token, Kind.PRODUCTS)
