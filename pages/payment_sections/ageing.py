"""Who owes what, by how long it has been due: now, or as at a day. Every amount opens into its invoices."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.dates import start_of_day
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.receivables import ageing, figures
from billing_core.receivables.ageing import BUCKETS, AgeingRow
from pages.ui import downloads, formats, opened, tables
from pages.ui.figures.drilldown import Drilldown, request_rows
from pages.ui.inputs import filters
from pages.ui.reads import Reader

PAGE_KEY, SORT_KEY = "ageing_page", "ageing_sort"
_ORDERS = {
    "-overdue": "Overdue ↓",
    "-total": "Total ↓",
    "total": "Total ↑",
    "name": "Customer ↑",
    "-name": "Customer ↓",
}


def draw(read: Reader, actor: Actor) -> None:
    scope, order = _filters(read, actor)
    by_currency = read(ageing.by_currency, scope)
    if not by_currency:
        st.info("Nothing was owed then." if scope.as_at else "Nobody owes anything.", icon=":material/task_alt:")
        return
    table(by_currency, scope, key="ageing_by_currency", alt="What is owed by age, per currency")
    st.subheader("By customer", anchor=False)
    skipped = tables.pager(read(ageing.customer_count, scope), key=PAGE_KEY, noun="row", sorts_whole=True)
    rows = read(ageing.by_customer, scope, order_by=order, limit=tables.PAGE_SIZE, offset=skipped)
    table(rows, scope, key="ageing_by_customer", alt="What each customer owes by age", with_customer=True)
    st.caption("Days are counted from the due date; part payments are taken off. Click an amount to see its invoices.")
    if actor.may(Permission.EXPORT):
        st.link_button("By customer as CSV", _address(scope, order), icon=":material/download:")


def table(rows: list[AgeingRow], scope: Scope, *, key: str, alt: str, with_customer: bool = False) -> None:
    """One row per currency, or per customer and currency."""
    customer = (
        [
            tables.text("Customer", "customer_name", order="name").opening(
                lambda row: opened.go_to_customer(row.customer_id, "Statement")
            )
        ]
        if with_customer
        else []
    )
    tables.show(
        rows,
        [
            *customer,
            tables.currency_of(),
            tables.count("Invoices", "invoices"),
            *amounts(scope),
        ],
        key=key,
        alt=alt,
        order_key=SORT_KEY if with_customer else None,
    )


def amounts(scope: Scope) -> list[tables.Column]:
    """The buckets and their sum, each opening into its invoices."""
    total = tables.money("Total", "total_minor", order="total").opening(partial(_all, scope))
    return [*(_bucket(place, scope) for place in range(len(BUCKETS))), total]


def _filters(read: Reader, actor: Actor) -> tuple[Scope, str]:
    today = read.today
    with filters.row():
        as_at = filters.day(
            "As of",
            key="ageing_as_at",
            page_key=PAGE_KEY,
            last=today,
            width=170,
            help="What was owed at the end of that day. Empty: now.",
        )
        then = False
        if as_at is not None:
            then = st.checkbox("As known then", key="ageing_known", help="Without what was recorded later for that day")
        currency = filters.choice(
            "Currency", read(customers.currencies), key="ageing_currency", page_key=PAGE_KEY, every="All currencies"
        )
        order = filters.order(_ORDERS, "-overdue", key=SORT_KEY, page_key=PAGE_KEY)
        filters.saved_views(read, actor, "ageing", PAGE_KEY)
    known_at = start_of_day(read.company.time_zone, as_at + timedelta(days=1)) if as_at and then else None
    scope = Scope(
        currency=currency or None, customer_id=actor.customer_id, known_at=known_at, as_at=as_at, today=read.days
    )
    return scope, order


def _bucket(place: int, scope: Scope) -> tables.Column:
    def cell(row: AgeingRow) -> str:
        return formats.amount(row.amounts[place], row.currency) if row.amounts[place] else formats.NOTHING

    return tables.computed(BUCKETS[place].title, cell, right=True).opening(partial(_invoices, scope, place))


def _invoices(scope: Scope, place: int, row: AgeingRow) -> None:
    if row.amounts[place]:
        request_rows(Drilldown(figures.aged(BUCKETS[place]), _of(scope, row), row.amounts[place], row.currency))


def _all(scope: Scope, row: AgeingRow) -> None:
    request_rows(Drilldown(figures.OUTSTANDING, _of(scope, row), row.total_minor, row.currency))


def _of(scope: Scope, row: AgeingRow) -> Scope:
    return replace(scope, currency=row.currency, customer_id=row.customer_id or scope.customer_id)


def _address(scope: Scope, order: str) -> str:
    return downloads.address(
        "ageing.csv", as_at=scope.as_at, known_at=scope.known_at, currency=scope.currency, order_by=order
    )
