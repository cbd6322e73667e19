"""Whatever a shop's export looks like, what is read of it is what was meant."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from billing_core.imports import Kind, sources
from billing_core.imports.kind import Setting
from billing_core.imports.layouts import preview, recognising

SETTING = Setting(1, "EUR", "UTC", datetime(2026, 11, 30, tzinfo=UTC))
# Columns of the file by what they hold; of an unknown shop, and of one that is known.
SHOPS = (
    ("Order No", "Order Date", "Customer", "Customer Name", "SKU", "Qty"),
    ("Name", "Created at", "Email", "Billing Name", "Lineitem sku", "Lineitem quantity"),
)
FURTHER = ({}, {"Financial Status": "paid", "Fulfillment Status": "fulfilled", "Lineitem name": "Mug"})


@dataclass(frozen=True)
class MeantOrder:
    customer: int
    day: date
    lines: list[tuple[str, int]]


NAMES = st.text("abcdeäöüßéñ ÅŁ.-'", min_size=1, max_size=12).map(lambda text: f"N{text}x")
SKUS = st.from_regex(r"[A-Z]{2}-[0-9]{1,4}", fullmatch=True)
LINES = st.lists(st.tuples(SKUS, st.integers(1, 999)), min_size=1, max_size=4)
ORDERS = st.lists(
    st.builds(MeantOrder, st.integers(0, 2), st.dates(date(2020, 1, 1), date(2026, 1, 1)), LINES),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40)
@given(
    orders=ORDERS,
    names=st.lists(NAMES, min_size=3, max_size=3),
    shop=st.sampled_from([0, 1]),
    repeated=st.booleans(),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    order_of_columns=st.randoms(use_true_random=False),
)
def test_orders_with_their_lines_are_read_as_meant(
    orders, names, shop, repeated, separator, encoding, order_of_columns
):
    content = written(orders, names, shop, repeated, separator, order_of_columns).encode(encoding)
    stream = io.BytesIO(content)
    layout = sources.read_layout(stream)
    rows = [row for batch in sources.batches(stream, layout) for row in batch.rows]

    found = recognising.found(layout.header, rows, "export.csv")
    assert found.kinds == (Kind.CUSTOMERS, Kind.ORDERS, Kind.ORDER_ITEMS)
    read = {kind: values(layout, rows, kind) for kind in found.kinds}
    assert read[Kind.ORDER_ITEMS] == [
        (f"#{number}", sku, str(quantity)) for number, order in enumerate(orders) for sku, quantity in order.lines
    ]
    assert [row[:3] for row in read[Kind.ORDERS]] == [
        (f"#{number}", key(shop, order.customer), order.day.isoformat()) for number, order in enumerate(orders)
    ]
    assert [row[:2] for row in read[Kind.CUSTOMERS]] == [
        (key(shop, order.customer), names[order.customer].strip()) for order in orders
    ]


def key(shop: int, customer: int) -> str:
    return f"buyer{customer}@example.com" if shop else f"C{customer}"


def written(orders, names, shop, repeated, separator, order_of_columns) -> str:
    """The export: what the lines of an order share stands on each of them, or in the first alone."""
    number, day, customer, name, sku, quantity = SHOPS[shop]
    header = [*SHOPS[shop], *FURTHER[shop]]
    order_of_columns.shuffle(header)
    target = io.StringIO()
    writer = csv.DictWriter(target, header, restval="", delimiter=separator)
    writer.writeheader()
    for place, order in enumerate(orders):
        shared = {day: order.day.isoformat(), customer: key(shop, order.customer), name: names[order.customer]}
        for at, (code, pieces) in enumerate(order.lines):
            own = {sku: code, quantity: pieces} | ({"Lineitem name": "Mug"} if shop else {})
            # Shopify repeats the number; of another shop the cell is blank below the first line.
            own |= {number: f"#{place}"} if repeated or shop or not at else {}
            further = {} if at and not repeated else shared | FURTHER[shop]
            writer.writerow({number: "", **further, **own})
    return target.getvalue()


def values(layout, rows, kind) -> list[tuple[str, ...]]:
    mapping = recognising.start(layout.header, kind) or recognising.guess(recognising.DEFINITIONS[kind], layout.header)
    shown = preview.first_rows(rows, layout, kind, mapping, SETTING)
    assert [row.reasons for row in shown if row.reasons] == []
    return [tuple(row.values.values()) for row in shown]
