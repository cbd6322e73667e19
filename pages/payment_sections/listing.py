"""The payments that match, paged and summed in SQL, and the same as a file."""

from dataclasses import fields
from datetime import date
from urllib.parse import urlencode

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.dates import EARLIEST_DAY, LATEST_DAY
from billing_core.identity import Actor, Permission
from billing_core.payments import queries
from billing_core.payments.models import PaymentMethod
from billing_core.payments.queries import PaymentFilter
from pages.payment_sections.columns import open_payment, payments
from pages.ui import formats, tables
from pages.ui.inputs import customer_names, filters
from pages.ui.reads import Reader

PAGE_KEY = "payments_page"
SORT_KEY = "payments_sort"
_STATES = {"standing": "Received", "undone": "Undone"}


def draw(read: Reader, actor: Actor) -> None:
    columns = payments()
    wanted = _filters(read, actor, columns)
    total = read(queries.count, wanted)
    if total == 0:
        _nothing(read, actor)
        return
    sums = " · ".join(formats.money(one.minor, one.currency) for one in read(queries.totals, wanted))
    st.caption(f"Together {sums}, without what was undone" if sums else "All of these were undone")
    skipped = tables.pager(total, key=PAGE_KEY, noun="payment")
    tables.show(
        read(queries.page, wanted, limit=tables.PAGE_SIZE, offset=skipped),
        columns,
        key="payments",
        alt="Payments",
        opens=open_payment,
        order_key=SORT_KEY,
    )
    st.caption("Click a payment to see what it paid, a column's head to sort by it.")
    if actor.may(Permission.EXPORT):
        st.link_button("List as CSV", f"/downloads/payments.csv?{_query(wanted)}&excel=1", icon=":material/download:")


def _filters(read: Reader, actor: Actor, columns: list[tables.Column]) -> PaymentFilter:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = filters.search(
            "Search", key="payments_text", page_key=PAGE_KEY, placeholder="Customer, reference or note"
        )
        names = customer_names.offered(read, key="payments_customer")
        filters.from_view("payments_customer", None, lambda labels: filters.called(names, labels[0], None))
        customer = st.selectbox(
            "Customer",
            [None, *names],
            format_func=lambda one: "All customers" if one is None else names.get(one, str(one)),
            key="payments_customer",
            bind="query-params",
            on_change=filters.first_page,
            args=(PAGE_KEY,),
            width=150,
        )
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
            first = _day("Received on or after", "payments_from")
            last = _day("Received on or before", "payments_to")
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


def _day(label: str, key: str) -> date | None:
    filters.from_view(key, None, _as_day)
    return st.date_input(
        label,
        value=None,
        min_value=EARLIEST_DAY,
        max_value=LATEST_DAY,
        key=key,
        bind="query-params",
        on_change=filters.first_page,
        args=(PAGE_KEY,),
    )


def _as_day(labels: list[str]) -> date | None:
    try:
        return date.fromisoformat(labels[0])
    except ValueError:
        return None


def _query(wanted: PaymentFilter) -> str:
    facts = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
    given = {name: value for name, value in facts.items() if value is not None and value != ""}
    return urlencode({name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()})


def _nothing(read: Reader, actor: Actor) -> None:
    if read(queries.count, PaymentFilter()):
        st.info("No payment fits these filters. Clear the search, or widen the days.", icon=":material/filter_alt_off:")
    elif actor.may(Permission.PAYMENT_WRITE):
        st.info("No payment has been recorded yet. Do so with “Record payment”.", icon=":material/payments:")
    else:
        st.info("No payment has been recorded yet. An administrator records them.", icon=":material/payments:")
