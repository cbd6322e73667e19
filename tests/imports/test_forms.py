"""Files in the shape of real exports are imported by what they hold; what is left out of them is said."""

from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service
from billing_core.imports.incoming import Incoming
from billing_core.orders.models import OrderLine
from tests.imports.files import counts
from tests.imports.sources.workbooks import xlsx

CASES = Path(__file__).parent / "cases"
# How a file is read comes before any database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("name", "customers", "left_out"),
    [
        ("latin1.csv", [("C1", "Müller GmbH", "")], []),
        ("utf16.txt", [("C1", "Müller GmbH", "")], []),
        ("preamble_and_footer.csv", [("C1", "Acme", "a@x.example")], [7]),
        ("totals_row.csv", [("C1", "Acme", "a@x.example"), ("C2", "Bolt", "b@x.example")], [4]),
    ],
)
def test_customers_come_out_right(name, customers, left_out, sessions):
    with (CASES / name).open("rb") as stream:
        outcome = service.apply(sessions, SYSTEM, Incoming(Kind.CUSTOMERS, stream, name), now=utc_now())
    assert counts(outcome) == (len(customers), 0, 0, 0)
    assert [line.line for line in outcome.odd_lines] == left_out
    with sessions() as session:
        stored = session.execute(select(Customer.ref, Customer.name, Customer.email).order_by(Customer.ref))
        assert [tuple(row) for row in stored] == customers


def test_a_file_that_quotes_nothing_is_one_line_of_one_piece(one_order, take_in, sessions):
    content = (CASES / "amazon_flat_file.txt").read_bytes().replace(b"O1", b"SO-1")
    outcome = take_in("order-items", content)
    assert counts(outcome) == (1, 0, 0, 0)
    assert "Quotes" in outcome.notes[0]


def test_a_stray_quote_far_below_is_text_where_every_row_proves_it(one_order, take_in):
    lines = b"order_number\tsku\tquantity\tname\n" + b"".join(b"SO-1\tA%d\t1\tmug\n" % n for n in range(6_000))
    outcome = take_in("order-items", lines + b'SO-1\tB\t1\t"Deluxe" mug\n')
    assert counts(outcome) == (6_001, 0, 0, 0)
    with pytest.raises(Invalid, match="Line 6,002: a quote"):
        take_in("order-items", lines + b'SO-1\tB\t"Deluxe" mug\n')


def test_lines_of_a_workbook_are_imported(one_order, take_in, sessions):
    content = xlsx({"Lines": [["order_number", "sku", "quantity"], ["SO-1", 4711, 1.234], ["SO-1", "B", 2]]})
    assert counts(take_in("order-items", content)) == (2, 0, 0, 0)
    with sessions() as session:
        stored = session.execute(select(OrderLine.sku, OrderLine.quantity).order_by(OrderLine.sku))
        assert [(sku, str(quantity)) for sku, quantity in stored] == [("4711", "1.234"), ("B", "2.000")]


def test_numbered_columns_are_not_remembered(take_in, one_order):
    content = "SO-1,A,1\nSO-1,B,2\n"
    mapping = ("order_number=column 1", "sku=column 2", "quantity=column 3")
    assert counts(take_in("order-items", content, *mapping)) == (2, 0, 0, 0)
    with pytest.raises(Invalid, match="No column of the file is order_number"):
        take_in("order-items", content)
