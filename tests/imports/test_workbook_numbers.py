"""Numbers that a workbook holds as such, where a spreadsheet may have cut them, or texts stand beside them."""

from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.imports.incoming import Incoming
from billing_core.orders.models import Order, OrderLine
from tests.imports.files import incoming, rejections
from tests.imports.sources.workbooks import ods, xlsx

ORDERS = ["order_number", "customer_ref", "order_date", "reference_number", "notes"]
LINES = ["order_number", "sku", "quantity"]
CUT = (
    "{} is a number in the workbook, and spreadsheets keep 15 digits of one: the last may have been another. "
    "Enter such numbers as text, or say that they are right"
)


def book(header: list[str], *rows: list[object]) -> bytes:
    return xlsx({"Sheet1": [header, *rows]})


def order(number: object, reference: object = "", notes: object = "") -> list[object]:
    return [number, "ACME", "2026-03-04", reference, notes]


@pytest.fixture
def say(sessions):
    """Takes a file in with what was said of its columns."""

    def take(kind, content, readings):
        file = incoming(kind, content)
        said = Incoming(file.kind, file.stream, file.file_name, readings=readings)
        return service.apply(sessions, SYSTEM, said, now=utc_now())

    return take


def orders(sessions) -> list[tuple[str, str, str]]:
    with sessions() as session:
        rows = session.execute(select(Order.number, Order.reference_number, Order.notes).order_by(Order.number))
        return [tuple(row) for row in rows]


def quantities(sessions) -> list[tuple[str, Decimal]]:
    with sessions() as session:
        rows = session.execute(select(OrderLine.sku, OrderLine.quantity).order_by(OrderLine.sku))
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("number", [1234567890123450, 1234567890123000, 12345678901234500])
def test_a_key_that_a_spreadsheet_may_have_cut_is_asked_about(two_customers, take_in, say, sessions, number):
    content = book(ORDERS, order("SO-1"), order(number, number))
    outcome = take_in("orders", content)
    assert not outcome.applied
    assert [(one.field, one.text) for one in outcome.questions] == [
        ("order_number", CUT.format(number)),
        ("reference_number", CUT.format(number)),
    ]
    assert [choice.reading for choice in outcome.questions[0].choices] == ["exact"]
    assert orders(sessions) == []

    assert not say("orders", content, {"order_number": ("exact",)}).applied
    assert say("orders", content, {"order_number": ("exact",), "reference_number": ("exact",)}).applied
    assert orders(sessions) == [(str(number), str(number), ""), ("SO-1", "", "")]


def test_a_sku_and_a_key_of_opendocument_are_asked_about_too(one_order, take_in):
    outcome = take_in("order-items", book(LINES, ["SO-1", 1234567890123450, 2]))
    assert [one.field for one in outcome.questions] == ["sku"]
    cells = "".join(
        f'<table:table-cell office:value-type="{kind}" office:value="{value}"><text:p>{value}</text:p>'
        "</table:table-cell>"
        for kind, value in (("string", "SO-1"), ("float", "1.23456789012345E+015"), ("float", "2"))
    )
    names = "".join(f"<table:table-cell><text:p>{name}</text:p></table:table-cell>" for name in LINES)
    assert [one.text for one in take_in("order-items", ods(names, cells)).questions] == [CUT.format(1234567890123450)]


def test_a_key_that_cannot_have_been_cut_is_taken_as_it_is(two_customers, take_in, sessions):
    whole = ["1234567890123450", 1234567890123456, 123456789012340, "12345678901234500"]
    assert take_in("orders", book(ORDERS, *map(order, whole))).applied
    assert [number for number, *_ in orders(sessions)] == sorted(map(str, whole))


def test_a_key_that_has_lost_digits_for_certain_is_rejected_whatever_was_said(two_customers, say):
    outcome = say("orders", book(ORDERS, order(123456789012345000)), {"order_number": ("exact",)})
    ((line, column, _, reason),) = rejections(outcome)
    assert (line, column) == (2, "order_number")
    assert "was destroyed by a spreadsheet" in reason


def test_a_number_where_texts_stand_keeps_its_digits(two_customers, take_in, say, sessions):
    assert take_in("orders", book(ORDERS, order("A", "", 1234567890123450), order("B", 1.234))).applied
    content = book(ORDERS, order(123456789012345000))
    assert say("orders", content, {"order_number": ("as-written",)}).applied
    assert orders(sessions) == [
        ("123456789012345000", "", ""),
        ("A", "", "1234567890123450"),
        ("B", "1.234", ""),
    ]


def test_numbers_of_a_workbook_do_not_prove_what_a_text_beside_them_means(one_order, take_in, say, sessions):
    content = book(LINES, ["SO-1", "A", 12.5], ["SO-1", "B", "1.234"], ["SO-1", "C", 2.345])
    (question,) = take_in("order-items", content).questions
    assert question.text == "1.234: 1.234 (decimal point) or 1234 (decimal comma)?"
    assert say("order-items", content, {"quantity": ("comma",)}).applied
    assert quantities(sessions) == [("A", Decimal("12.5")), ("B", Decimal(1234)), ("C", Decimal("2.345"))]


@pytest.mark.parametrize(("proof", "meant"), [("0,5", ("1234", "0.5")), ("0.5", ("1.234", "0.5"))])
def test_other_texts_prove_it(one_order, take_in, sessions, proof, meant):
    content = book(LINES, ["SO-1", "A", 12.5], ["SO-1", "B", "1.234"], ["SO-1", "C", proof])
    assert take_in("order-items", content).applied
    assert quantities(sessions) == [("A", Decimal("12.5")), *zip("BC", map(Decimal, meant), strict=True)]


@pytest.mark.parametrize("column", ["event_id", "user"])
def test_ids_of_events_that_a_workbook_has_cut_are_refused(two_customers, take_in, column):
    """Of 1234567890123456781 and …782 a workbook keeps 1234567890123456800 twice: one event would be missing."""
    rows = [{"event_id": f"e-{line}", "user": "ana"} | {column: 1234567890123456800} for line in (2, 3)]
    header = ["event_id", "customer_ref", "time", "user"]
    given = ([row["event_id"], "ACME", "2026-03-10T10:00:00Z", row["user"]] for row in rows)
    outcome = take_in("usage", book(header, *given))
    assert not outcome.applied
    assert [(line, name) for line, name, *_ in rejections(outcome)] == [(2, column), (3, column)]
