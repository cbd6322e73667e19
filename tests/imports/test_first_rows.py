"""The first rows of a file as they will be stored, before anything is imported."""

import io

from billing_core.customers.models import Customer
from billing_core.imports import Kind, inbox
from tests.imports.files import row_count
from tests.imports.inbox.dropped import ADA, NOW
from tests.imports.test_layouts import example


def first_rows(sessions, content: bytes) -> dict[Kind, list[inbox.FirstRow]]:
    inbox.receive(sessions, ADA, "export.csv", io.BytesIO(content), now=NOW)
    with sessions() as session:
        return {file.kind: inbox.first_rows(session, ADA, file) for file in inbox.files_of(session, ADA)}


def test_each_kind_of_a_file_is_shown_as_it_will_be_stored(sessions):
    shown = first_rows(sessions, example("shopify_orders"))
    assert [
        (row.values["customer_ref"], row.values["name"], row.values["country"]) for row in shown[Kind.CUSTOMERS]
    ] == [
        ("ann@example.com", "Smith Ltd", "IE"),
        ("bob@example.com", "Bob Jones", "IE"),
        ("ann@example.com", "Smith Ltd", "IE"),
    ]
    assert [(row.values["order_number"], row.values["status"]) for row in shown[Kind.ORDERS]] == [
        ("#1001", "shipped"),
        ("#1002", "submitted"),
        ("#1003", "cancelled"),
    ]
    assert [tuple(row.values.values()) for row in shown[Kind.ORDER_ITEMS]] == [
        ("#1001", "MUG-B", "2"),
        ("#1001", "MUG-R", "1"),
        ("#1002", "Gift card", "1"),
        ("#1003", "MUG-B", "2"),
    ]
    assert row_count(sessions, Customer) == 0


def test_a_cell_that_cannot_be_read_says_why(sessions):
    shown = first_rows(sessions, b"order_number,sku,quantity\nSO-1,A-1,1.5\nSO-2,A-1,many\nSO-3,A-1\n")
    rows = shown[Kind.ORDER_ITEMS]
    assert [row.values.get("quantity") for row in rows] == ["1.5", "many", None]
    assert [row.reasons for row in rows] == [
        {},
        {"quantity": "is not a number"},
        {"": "the line has 2 cells, the header has 3"},
    ]


def test_a_cell_is_shown_as_the_others_prove_it_or_as_it_stands(sessions):
    rows = first_rows(sessions, b"order_number;sku;quantity\nSO-1;A;1.234\nSO-2;A;12,5\n")[Kind.ORDER_ITEMS]
    assert [(row.values["quantity"], row.reasons) for row in rows] == [("1234", {}), ("12.5", {})]


def test_a_cell_that_nothing_proves_yet_is_shown_as_it_stands(sessions):
    rows = first_rows(sessions, b"order_number,sku,quantity\nSO-1,A,7\nSO-2,A,1.234\n")[Kind.ORDER_ITEMS]
    assert [row.values["quantity"] for row in rows] == ["7", "1.234"]
    reason = "is read as the whole column shows. 1.234: 1.234 (decimal point) or 1234 (decimal comma)?"
    assert [row.reasons for row in rows] == [{"quantity": reason}, {}]
