"""Orders that are left out by a word of theirs take their lines with them, wherever in the check these are."""

import io

import pytest
from sqlalchemy import select

from billing_core.imports import Kind, inbox, steps
from billing_core.imports.models import FileState, Holds, ImportFilePart
from billing_core.orders.models import Order, OrderLine
from tests.imports.inbox.dropped import ADA, NOW

# Order 2 was refunded, and has two lines; of 3 one line was.
COMBINED = (
    "Order No,Order Date,Customer,Customer Name,Status,SKU,Qty\n"
    "1,2026-03-02,C1,Acme,shipped,A-1,2\n"
    "2,2026-03-02,C1,Acme,refunded,A-1,1\n2,2026-03-02,C1,Acme,refunded,B-2,4\n"
    "3,2026-03-03,C2,Bolt,shipped,A-1,5\n3,2026-03-03,C2,Bolt,refunded,B-2,6\n"
)
ORDERS = "order_number,customer_ref,order_date,status\n1,C1,2026-03-02,shipped\n2,C1,2026-03-02,refunded\n"
LINES = "order_number,sku,quantity\n1,A-1,2\n2,A-1,1\n2,B-2,4\n"


@pytest.fixture
def drop(sessions):
    def one(name: str, content: str) -> None:
        inbox.receive(sessions, ADA, name, io.BytesIO(content.encode()), now=NOW)

    return one


@pytest.fixture
def files(sessions):
    def of() -> dict[Kind, inbox.Received]:
        with sessions() as session:
            return {file.kind: file for file in inbox.files_of(session, ADA) if file.state is not FileState.IMPORTED}

    return of


@pytest.fixture
def work(sessions, files):
    def one(request, *kinds: Kind) -> None:
        tokens = [file.token for kind, file in files().items() if not kinds or kind in kinds]
        with sessions.begin() as session:
            job = request(session, ADA, tokens, now=NOW)
        steps.work_off(sessions, job)

    return one


def leave_refunded_out(sessions, orders: inbox.Received) -> None:
    with sessions.begin() as session:
        inbox.choose_words(session, ADA, orders.token, {"status": {"refunded": "leave-out"}})


def lines(sessions) -> list[tuple[str, str, int]]:
    with sessions() as session:
        rows = select(Order.number, OrderLine.sku, OrderLine.quantity).join(Order, Order.id == OrderLine.order_id)
        return [tuple(row) for row in session.execute(rows.order_by(Order.number, OrderLine.sku))]


def test_in_the_same_file(sessions, drop, files, work):
    drop("export.csv", COMBINED)
    leave_refunded_out(sessions, files()[Kind.ORDERS])
    work(inbox.check)
    found = {kind: (part.state, part.outcome.new, part.outcome.left_out) for kind, part in files().items()}
    assert found == {
        Kind.CUSTOMERS: (FileState.READY, 2, 0),
        Kind.ORDERS: (FileState.READY, 2, 2),
        # An order that is there has all of its lines: only what it is as a whole decides.
        Kind.ORDER_ITEMS: (FileState.READY, 3, 2),
    }
    work(inbox.import_)
    assert lines(sessions) == [("1", "A-1", 2), ("3", "A-1", 5), ("3", "B-2", 6)]


@pytest.fixture
def two_files(sessions, drop, files, take_in):
    take_in("customers", "customer_ref,name\nC1,Acme\n")
    drop("orders.csv", ORDERS)
    drop("lines.csv", LINES)
    leave_refunded_out(sessions, files()[Kind.ORDERS])


def test_in_another_file_of_the_same_check(sessions, two_files, files, work):
    work(inbox.check)
    found = {kind: (file.state, file.outcome.new, file.outcome.left_out) for kind, file in files().items()}
    assert found == {Kind.ORDERS: (FileState.READY, 1, 1), Kind.ORDER_ITEMS: (FileState.READY, 1, 2)}
    work(inbox.import_)
    assert files() == {}
    assert lines(sessions) == [("1", "A-1", 2)]


def test_in_a_file_that_is_imported_later_as_long_as_the_orders_are_on_the_page(sessions, two_files, files, work):
    work(inbox.import_, Kind.ORDERS)
    work(inbox.check)
    assert (files()[Kind.ORDER_ITEMS].state, files()[Kind.ORDER_ITEMS].outcome.left_out) == (FileState.READY, 2)
    with sessions.begin() as session:
        imported = [file for file in inbox.files_of(session, ADA) if file.state is FileState.IMPORTED]
        inbox.discard(session, ADA, [file.token for file in imported])
    work(inbox.check)
    left = files()[Kind.ORDER_ITEMS]
    assert (left.state, left.outcome.rejected, left.outcome.left_out) == (FileState.REFUSED, 2, 0)


def test_not_where_the_order_came_in_by_another_file(sessions, two_files, files, work, take_in):
    work(inbox.import_, Kind.ORDERS)
    take_in("orders", "order_number,customer_ref,order_date,status\n2,C1,2026-03-02,shipped\n")
    work(inbox.import_)
    assert lines(sessions) == [("1", "A-1", 2), ("2", "A-1", 1), ("2", "B-2", 4)]


def test_the_numbers_of_the_orders_are_kept_with_the_import_alone(sessions, two_files, files, work):
    work(inbox.check)
    kept = select(ImportFilePart.content).where(ImportFilePart.holds == Holds.LEFT_OUT)
    with sessions() as session:
        assert session.scalars(kept).all() == []
    work(inbox.import_, Kind.ORDERS)
    with sessions() as session:
        assert session.scalars(kept).all() == [b"2\n"]
