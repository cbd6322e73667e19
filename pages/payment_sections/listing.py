"""The payments that match, paged and summed in SQL, and the same as a file."""

from dataclasses import asdict

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.identity import Actor, Permission
from billing_core.payments import queries
from billing_core.payments.models import PaymentMethod
from billing_core.payments.queries import PaymentFilter
from pages.payment_sections.columns import open_payment, payments
from pages.ui import export_menu, formats, tables
from pages.ui.export_menu import Export
from pages.ui.inputs import customer_names, filters
from pages.ui.reads import Reader

PAGE_KEY = "payments_page"
SORT_KEY = "payments_sort"
_STATES = {"standing": "Received", "undone": "Undone"}


def draw(read: Reader, actor: Actor) -> None:
    columns = payments()
    payment_filter = _filters(read, actor, columns)
    total = read(queries.count, payment_filter)
    if total == 0:
        _nothing(read, actor)
        return
    sums = " · ".join(formats.money(one.minor, one.currency) for one in read(queries.totals, payment_filter))
    st.caption(f"In total {sums}, excluding what was undone" if sums else "All of these were undone")
    skipped = tables.pager(total, key=PAGE_KEY, noun="payment", sorts_whole=True)
    tables.show(
        read(queries.page, payment_filter, limit=tables.PAGE_SIZE, offset=skipped),
        columns,
        key="payments",
        alt="Payments",
        opens=open_payment,
        order_key=SORT_KEY,
    )
    st.caption("Click a payment to see what it paid, a column's heading to sort by it.")
    if actor.may(Permission.EXPORT):
        _files(payment_filter)


def _filters(read: Reader, actor: Actor, columns: list[tables.Column]) -> PaymentFilter:
    with filters.row():
        text = filters.search(
            "Search", key="payments_text", page_key=PAGE_KEY, placeholder="Customer, reference, note or amount"
        )
        customer = customer_names.filter_by(read, key="payments_customer", page_key=PAGE_KEY)
        methods = {method.value: formats.words(method.value) for method in PaymentMethod}
        method = filters.choice(
            "Method", list(methods), key="payments_method", page_key=PAGE_KEY, names=methods, every="All methods"
        )
        currency = filters.choice(
            "Currency", read(customers.currencies), key="payments_currency", page_key=PAGE_KEY, every="All currencies"
        )
        state = filters.choice(
            "State", list(_STATES), key="payments_state", page_key=PAGE_KEY, names=_STATES, every="All"
        )
        order = filters.order(tables.orderings(columns), "-received_on", key=SORT_KEY, page_key=PAGE_KEY)
        with st.popover("Days", icon=":material/date_range:"):
            first = filters.day("Received on or after", key="payments_from", page_key=PAGE_KEY)
            last = filters.day("Received on or before", key="payments_to", page_key=PAGE_KEY)
            filters.in_order(first, last, "Received", key="payments_to")
        filters.saved_views(read, actor, "payments", PAGE_KEY)
    return PaymentFilter(
        customer_id=customer,
        received_from=first,
        received_to=last,
        currency=currency,
        method=method,
        text=text,
        undone=None if not state else state == "undone",
        order_by=order,
    )


def _files(payment_filter: PaymentFilter) -> None:
    facts = asdict(payment_filter)
    export_menu.draw(
        [
            Export("List", "A row a payment, with its fee.", "payments", facts, endings=("csv",)),
            Export(
                "What they paid",
                "By day: a row for each invoice that a payment paid, and for what was left of it; credit that was "
                "used; what went back, as less than 0.",
                "payment-allocations",
                {name: fact for name, fact in facts.items() if name != "order_by"},
            ),
        ]
    )


def _nothing(read: Reader, actor: Actor) -> None:
    if read(queries.count, PaymentFilter()):
        st.info(
            "No payment matches these filters. Clear the search or widen the days.", icon=":material/filter_alt_off:"
        )
    elif actor.may(Permission.PAYMENT_WRITE):
        st.info("No payment has been recorded yet. Do so with “Record payment”.", icon=":material/payments:")
    else:
        st.info("No payment has been recorded yet. An administrator records them.", icon=":material/payments:")
