"""Orders that name no customer, as of a shop's till: to whom they belong is said once a file."""

import io

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.errors import Forbidden, Invalid
from billing_core.identity import Actor
from billing_core.imports import Kind, inbox, steps
from billing_core.imports.models import FileState
from billing_core.imports.words.answers import WordRead
from billing_core.orders.models import Order
from tests.imports.inbox.dropped import ADA, NOW
from tests.imports.test_layouts import example
from tests.reports.company import a_customer

KEYS = ("Email", "Phone", "Billing Name", "Shipping Name")
COLUMN = "|".join(KEYS)
LINE = ("Lineitem quantity", "Lineitem name", "Lineitem sku")


def till(*orders: str) -> bytes:
    """A shop's export with these orders of the till, of two lines each, after its usual ones."""
    content = example("shopify_orders").decode()
    header = content.splitlines()[0].split(",")
    rows = []
    for number in orders:
        first = {"Name": number, "Financial Status": "paid", "Fulfillment Status": "fulfilled", "Currency": "EUR"}
        first |= {"Created at": "2026-03-06 10:00:00 +0000"}
        for sku, own in (("MUG-B", first), ("MUG-R", {"Name": number})):
            cells = own | dict(zip(LINE, ("1", "Mug", sku), strict=True))
            rows.append(",".join(cells.get(name, "") for name in header))
    return (content.rstrip("\n") + "\n" + "\n".join(rows) + "\n").encode()


@pytest.fixture
def receive(sessions):
    return lambda content: inbox.receive(sessions, ADA, "orders.csv", io.BytesIO(content), now=NOW)


@pytest.fixture
def parts(sessions):
    def of() -> dict[Kind, inbox.Received]:
        with sessions() as session:
            left = [part for part in inbox.files_of(session, ADA) if part.state is not FileState.IMPORTED]
            return {part.kind: part for part in left}

    return of


@pytest.fixture
def work(sessions, parts):
    def one(request) -> None:
        with sessions.begin() as session:
            job = request(session, ADA, [part.token for part in parts().values()], now=NOW)
        steps.work_off(sessions, job)

    return one


@pytest.fixture
def belong(sessions, parts):
    def one(ref: str, actor=ADA) -> None:
        with sessions.begin() as session:
            inbox.choose_owner(session, actor, parts()[Kind.ORDERS].token, ref)

    return one


@pytest.fixture(autouse=True)
def at_the_till(sessions):
    with sessions.begin() as session:
        a_customer(session, ref="TILL", name="Sales at the till", currency="EUR")


def of_whom(sessions) -> dict[str, str]:
    with sessions() as session:
        orders = select(Order.number, Customer.ref).join(Customer, Customer.id == Order.customer_id)
        return {row.number: row.ref for row in session.execute(orders.order_by(Order.number))}


def test_orders_without_a_customer_are_rejected_until_it_is_said_whose_they_are(sessions, receive, parts, work, belong):
    receive(till("#2001", "#2002"))
    work(inbox.check)
    refused = parts()[Kind.ORDERS].outcome
    assert [(group.field, group.reason, group.rows) for group in refused.groups if group.reason == "is empty"] == [
        ("customer_ref", "is empty", 2)
    ]

    belong("TILL")
    work(inbox.check)
    found = parts()
    assert {kind: part.state for kind, part in found.items()} == dict.fromkeys(found, FileState.READY)
    assert WordRead("customer_ref", COLUMN, "", "TILL", 2) in found[Kind.ORDERS].outcome.read
    # Two customers of the shop's usual orders, none of the two of the till.
    assert (found[Kind.CUSTOMERS].outcome.new, found[Kind.CUSTOMERS].outcome.left_out) == (2, 2)

    work(inbox.import_)
    assert of_whom(sessions) == {
        "#1001": "ann@example.com",
        "#1002": "bob@example.com",
        "#1003": "ann@example.com",
        "#2001": "TILL",
        "#2002": "TILL",
    }


def test_the_answer_is_remembered_with_the_columns(sessions, receive, parts, work, belong):
    receive(till("#2001"))
    belong("TILL")
    work(inbox.import_)
    receive(till("#2001", "#2002", "#2003"))
    work(inbox.check)
    assert WordRead("customer_ref", COLUMN, "", "TILL", 3) in parts()[Kind.ORDERS].outcome.read
    work(inbox.import_)
    assert [number for number, ref in of_whom(sessions).items() if ref == "TILL"] == ["#2001", "#2002", "#2003"]


def test_the_answer_can_be_taken_back(receive, parts, work, belong):
    receive(till("#2001"))
    before = {kind: part.mapping for kind, part in parts().items()}
    belong("TILL")
    belong("")
    assert {kind: part.mapping for kind, part in parts().items()} == before
    work(inbox.check)
    assert parts()[Kind.ORDERS].state is FileState.REFUSED


def test_orders_that_are_left_out_are_not_counted(sessions, receive, parts, work, belong):
    receive(till("#2001", "#2002").replace(b"#2002,,paid,,fulfilled", b"#2002,,refunded,,fulfilled"))
    belong("TILL")
    with sessions.begin() as session:
        answer = {"status": {"refunded fulfilled": "leave-out"}}
        inbox.choose_words(session, ADA, parts()[Kind.ORDERS].token, answer)
    work(inbox.check)
    assert WordRead("customer_ref", COLUMN, "", "TILL", 1) in parts()[Kind.ORDERS].outcome.read


def test_they_belong_to_a_customer_that_is_there(sessions, receive, belong):
    receive(till("#2001"))
    with pytest.raises(Invalid, match="No customer has the customer_ref “NOBODY”"):
        belong("NOBODY")
    with pytest.raises(Forbidden):
        belong("TILL", actor=Actor(ADA.user_id, "Ada", frozenset()))
