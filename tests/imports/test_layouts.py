"""Known layouts: read strictly, recognised by their columns, and each imported whole from a small file of its kind."""

import io
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service, sources
from billing_core.imports.incoming import Incoming
from billing_core.imports.layouts import reading, recognising
from billing_core.imports.mapping import Fixed
from billing_core.orders.models import Order, OrderLine, Product
from tests.imports.expected_layouts import EXPECTED

FILES = Path(__file__).parent / "layouts"
LAYOUTS = sorted(file.stem for file in Path(reading.__file__).parent.glob("*.toml"))


def example(name: str) -> bytes:
    return (FILES / f"{name}.csv").read_bytes()


def what_is_there(session) -> dict[str, list[tuple]]:
    """In short: customers by ref, name and city, orders with customer, day and status, lines, products."""
    customers = select(Customer.ref, Customer.name, Customer.city).order_by(Customer.ref)
    orders = select(Order.number, Customer.ref, Order.order_date, Order.status).join(Customer).order_by(Order.number)
    lines = select(Order.number, OrderLine.sku, OrderLine.quantity).join(Order).order_by(Order.number, OrderLine.sku)
    products = select(Product.sku, Product.name).order_by(Product.sku)
    return {
        "customers": [(row.ref, row.name, row.city) for row in session.execute(customers)],
        "orders": [
            (row.number, row.ref, f"{row.order_date:%Y-%m-%d}", str(row.status)) for row in session.execute(orders)
        ],
        "order-items": [(row.number, row.sku, int(row.quantity)) for row in session.execute(lines)],
        "products": [(row.sku, row.name) for row in session.execute(products)],
    }


def take_in_whole(sessions, content: bytes, file_name: str = "export.csv") -> list[service.Outcome]:
    stream = io.BytesIO(content)
    layout = sources.read_layout(stream)
    kinds = recognising.found(layout.header, [], file_name).kinds
    parts = [Incoming(kind, stream, file_name, _said(layout.header, kind)) for kind in kinds]
    return service.apply_together(sessions, SYSTEM, parts, now=utc_now(), also=lambda _session, _outcomes: None)


def _said(header, kind):
    """Whose a file's rows are, where no column says it."""
    mapped = recognising.start(header, kind) or {}
    needed = kind in (Kind.PRODUCTS, Kind.ORDERS) and "customer_ref" not in mapped
    return {"customer_ref": Fixed("SHOP")} if needed else {}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_recognised_and_imported_as_it_is_meant(sessions, take_in, name):
    content = example(name)
    header = sources.read_layout(io.BytesIO(content)).header
    known = recognising.known(header)
    assert known == reading.read(name, (Path(reading.__file__).parent / f"{name}.toml").read_text("utf-8"))
    expected = EXPECTED[name]
    shop = "products" in expected or name == "amazon_all_orders"
    if shop:
        take_in("customers", "customer_ref,name\nSHOP,Shop\n")
    outcomes = take_in_whole(sessions, content)
    assert [(row.line, row.column, row.value, row.reason) for row in outcomes[-1].rejections] == []
    with sessions() as session:
        found = what_is_there(session)
    whose = [("SHOP", "Shop", "")] if shop else []
    assert found == {"customers": whose, "orders": [], "order-items": [], "products": []} | expected


def test_an_export_again_changes_nothing(sessions):
    take_in_whole(sessions, example("shopify_orders"))
    again = take_in_whole(sessions, example("shopify_orders"))
    assert [(one.new, one.changed, one.unchanged) for one in again] == [(0, 0, 2), (0, 0, 3), (0, 0, 4)]


def test_customers_of_orders_that_are_there_already_stay_as_they_are(sessions, take_in):
    take_in("customers", "customer_ref,name,city\nann@example.com,Ann of ours,Galway\n")
    take_in_whole(sessions, example("shopify_orders"))
    with sessions() as session:
        names = dict(map(tuple, session.execute(select(Customer.ref, Customer.name))))
    assert names == {"ann@example.com": "Ann of ours", "bob@example.com": "Bob Jones"}


@pytest.mark.parametrize("also", ["", ",Customer Reference"])
def test_columns_that_differ_by_their_punctuation_alone_are_not_taken_for_each_other(sessions, also):
    """Odoo's “Customer/Reference” is whose the order is, “Customer Reference” what they call it."""
    header = f"Order Reference,Customer,Customer/Reference,Order Date,Order Lines/Product,Order Lines/Quantity{also}"
    row = "S1,Acme,C-7,2026-03-02,MUG,2" + (",PO-9" if also else "")
    assert take_in_whole(sessions, f"{header}\n{row}\n".encode())[-1].applied
    with sessions() as session:
        orders = session.execute(select(Customer.ref, Order.reference_number).join_from(Order, Customer)).all()
    assert list(map(tuple, orders)) == [("C-7", "PO-9" if also else "")]


def test_a_part_that_is_refused_leaves_nothing_of_the_file(sessions):
    wrong = example("shopify_orders").replace(
        b",2,Blue mug,10.00,MUG-B,Ann Smith,", b",two,Blue mug,10.00,MUG-B,Ann Smith,"
    )
    *before, refused = take_in_whole(sessions, wrong)
    assert [one.applied for one in (*before, refused)] == [False, False, False]
    assert [(row.line, row.value) for row in refused.rejections] == [(2, "two")]
    with sessions() as session:
        assert what_is_there(session) == {"customers": [], "orders": [], "order-items": [], "products": []}


GOOD = """
source = "Shop"
title = "orders"
requires = ["A"]
[services.fields]
service_code = "A"
name = "B"
cost_type = { fixed = "per_order" }
"""


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (GOOD.replace("source", "sauce"), "sauce is not known here"),
        (GOOD + "colour = 'C'", "colour is not known here"),
        (GOOD.replace('name = "B"', ""), "name must be there"),
        (GOOD.replace('"per_order"', "1"), "fixed is a text"),
        (GOOD.replace("fixed =", "fixt ="), "fixt is not known here"),
        (GOOD.replace('["A"]', "[]"), "a list of columns belongs here"),
        (GOOD.replace('["A"]', '["A", "A"]'), "a column is named twice"),
        (GOOD.replace("[services.fields]", '[services]\nexisting = "sell"\n[services.fields]'), "keep or change"),
        (GOOD.replace("[services.fields]", "[service.fields]"), "service is not known here"),
        ('source = "S"\ntitle = "t"\nrequires = ["A"]', "it holds nothing"),
        ("source = ", "Invalid value"),
    ],
)
def test_a_layout_that_says_something_unknown_is_refused(wrong, fault):
    reading.read("shop.toml", GOOD)
    with pytest.raises(reading.Malformed, match=fault):
        reading.read("shop.toml", wrong)
