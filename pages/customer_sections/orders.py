"""A customer's orders, searched, sorted and paged in SQL; one order with its lines."""

import streamlit as st

from billing_core.orders import queries
from billing_core.orders.models import OrderStatus
from billing_core.orders.queries import OrderFilter, OrderRow
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.inputs import filters
from pages.ui.reads import Reader
from pages.ui.text import md

SORT_KEY = "customer_orders_sort"
PAGE_KEY = "customer_orders_page"
COLUMNS = [
    tables.text("Order", "number", order="number"),
    tables.day("Date", "order_date", order="order_date"),
    tables.words("Status", "status", order="status"),
    tables.text("Reference", "reference_number", order="reference_number"),
    tables.text("Ship to", "ship_to_name", order="ship_to_name"),
    tables.text("City", "ship_to_city"),
    tables.text("Country", "ship_to_country", order="ship_to_country"),
    tables.text("Carrier", "carrier", order="carrier"),
    tables.count("Lines", "lines"),
    tables.quantity("Items", "items"),
    tables.quantity("Weight", "weight", order="weight"),
    tables.count("Packages", "packages", order="packages"),
]


@st.fragment
def draw(customer_id: int) -> None:
    read = Reader(signed_in())
    sorts = tables.orderings(COLUMNS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search orders",
            key="customer_orders_text",
            type="search",
            placeholder="Number, reference, ship to, city, SKU",
            on_change=filters.first_page,
            args=(PAGE_KEY,),
            width=280,
        )
        status = st.selectbox(
            "Status",
            ["", *OrderStatus],
            format_func=lambda one: formats.words(one) if one else "Any status",
            key="customer_orders_status",
            on_change=filters.first_page,
            args=(PAGE_KEY,),
            width=170,
        )
        order_by = st.selectbox(
            "Sort by",
            ["-order_date", *(one for one in sorts if one != "-order_date")],
            format_func=lambda one: sorts[one],
            key=SORT_KEY,
            width=180,
        )
    order_filter = OrderFilter(customer_id, text=text or "", status=status or "", order_by=order_by)
    total = read(queries.count, order_filter)
    if total == 0:
        narrowed = bool(text or status)
        st.info(
            "No order matches search and status." if narrowed else "This customer has no orders yet. Import some.",
            icon=":material/info:",
        )
        return
    skipped = tables.pager(total, key=PAGE_KEY, noun="order", of=customer_id, sorts_whole=True)
    rows = read(queries.page, order_filter, limit=tables.PAGE_SIZE, offset=skipped)
    tables.show(
        rows,
        COLUMNS,
        key=f"customer_orders_{skipped}",
        alt="Orders of this customer",
        opens=_choose,
        order_key=SORT_KEY,
    )
    st.caption("Click an order to see its lines, a column's heading to sort by it.")
    chosen = st.session_state.pop("customer_order", None)
    if chosen is not None:
        _lines(chosen)


def _choose(row: OrderRow) -> None:
    st.session_state["customer_order"] = row


@st.dialog("Order", width="large", icon=":material/package_2:")
def _lines(order: OrderRow) -> None:
    read = Reader(signed_in())
    st.markdown(
        f"**{md(order.number)}** of {md(formats.day(order.order_date))}, {md(formats.words(order.status).lower())}"
        + (f", to {md(order.ship_to_name)}" if order.ship_to_name else "")
    )
    lines = read(queries.lines, order.id)
    if not lines:
        st.info("This order has no lines.", icon=":material/info:")
        return
    tables.show(
        lines,
        [
            tables.text("SKU", "sku"),
            tables.computed("Product", lambda line: line.product if line.product is not None else "(no such product)"),
            tables.quantity("Case size", "case_size"),
            tables.quantity("Quantity", "quantity"),
        ],
        key="order_lines",
        alt="Lines of this order",
    )
