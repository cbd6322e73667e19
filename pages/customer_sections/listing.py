"""Every customer with what it was billed in all."""

from dataclasses import asdict
from functools import partial

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.figures import Figure, Ratio, Scope
from billing_core.identity import Actor, Permission
from billing_core.reports import figures, summary
from billing_core.reports.lacking import Lack
from billing_core.reports.summary import CustomerSummary, SummaryFilter
from pages.ui import downloads, opened, tables
from pages.ui.figures.drilldown import Drilldown, open_requested, request_rows
from pages.ui.inputs import filters
from pages.ui.reads import Reader

PAGE_KEY = "customers_page"
SORT_KEY = "customers_sort"
STANDINGS = {"inactive": "Deactivated", "all": "Active or not"}

LACKS = {
    Lack.PRICES.value: "Prices for orders",
    Lack.EMAIL.value: "E-mail address",
    Lack.ADDRESS.value: "Address or country",
    Lack.PLAN.value: "Plan for usage",
}


def _rows(figure: Figure | Ratio, amount: str, row: CustomerSummary) -> None:
    """What a click on one of a customer's numbers asks for."""
    money = figure in (figures.BILLED, figures.AVERAGE_REPORT)
    scope = Scope(currency=row.currency, customer_id=row.customer_id)
    value = getattr(row, amount)
    if value is not None:
        request_rows(Drilldown(figure, scope, value, row.currency if money else None))


# What was billed comes before what can be scrolled to on a narrow window.
COLUMNS = [
    tables.text("Customer", "customer_name", order="customer_name", width=150),
    tables.text("Key", "customer_ref", order="customer_ref"),
    tables.money("Billed", "total_minor", order="total_amount", help="Sum of the current reports").opening(
        partial(_rows, figures.BILLED, "total_minor")
    ),
    tables.money("Average", "average_minor", order="average_amount", help="Billed ÷ reports, rounded once").opening(
        partial(_rows, figures.AVERAGE_REPORT, "average_minor")
    ),
    tables.currency_of(order="currency"),
    tables.count("Reports", "report_count", order="report_count", help="Current reports").opening(
        partial(_rows, figures.REPORTS, "report_count")
    ),
    tables.text("City", "city", order="city"),
    tables.text("Country", "country", order="country"),
    tables.day("First report", "first_billing_date", order="first_report"),
    tables.day("Last report", "last_billing_date", order="latest_report"),
    tables.count(
        "Questions", "question_count", order="question_count", help="What could not be billed in full"
    ).opening(partial(_rows, figures.OPEN_QUESTIONS, "question_count")),
]


def draw(read: Reader, actor: Actor) -> None:
    customer_filter = _filter(read, actor)
    total = read(summary.count, customer_filter)
    if total == 0:
        _nothing(read, actor)
        return
    skipped = tables.pager(total, key=PAGE_KEY, noun="customer", sorts_whole=True)
    rows = read(summary.page, customer_filter, limit=tables.PAGE_SIZE, offset=skipped)
    tables.show(
        rows,
        COLUMNS,
        key=f"customers_{skipped}",
        alt="Customers and what they were billed",
        opens=_open,
        order_key=SORT_KEY,
    )
    st.caption("Click a customer to open it, a number to see the rows behind it, a column's heading to sort by it.")
    open_requested()
    if actor.may(Permission.EXPORT):
        st.link_button(
            "List as CSV", downloads.address("customers.csv", **asdict(customer_filter)), icon=":material/download:"
        )


def _filter(read: Reader, actor: Actor) -> SummaryFilter:
    with filters.row():
        text = filters.search(
            "Search", key="customers_text", page_key=PAGE_KEY, placeholder="Name, key, e-mail or city"
        )
        country = filters.choice(
            "Country", read(customers.countries), key="customers_country", page_key=PAGE_KEY, every="All countries"
        )
        currency = filters.choice(
            "Currency", read(customers.currencies), key="customers_currency", page_key=PAGE_KEY, every="All currencies"
        )
        billed = filters.choice(
            "Billed", ["yes"], key="customers_billed", page_key=PAGE_KEY, names={"yes": "With reports"}, every="All"
        )
        standing = filters.choice(
            "Standing", list(STANDINGS), key="customers_standing", page_key=PAGE_KEY, names=STANDINGS, every="Active"
        )
        lacks = filters.choice(
            "Lacking", list(LACKS), key="customers_lacks", page_key=PAGE_KEY, names=LACKS, every="Anything or nothing"
        )
        order = filters.order(tables.orderings(COLUMNS), "customer_name", key=SORT_KEY, page_key=PAGE_KEY)
        filters.saved_views(read, actor, "customers", PAGE_KEY)
    return SummaryFilter(
        text=text,
        country=country,
        currency=currency,
        with_reports=billed == "yes",
        active=_active(standing),
        lacks=Lack(lacks) if lacks else None,
        order_by=order,
    )


def _active(standing: str) -> bool | None:
    return None if standing == "all" else standing != "inactive"


def _nothing(read: Reader, actor: Actor) -> None:
    if read(summary.count, SummaryFilter()):
        st.info(
            "No customer matches these filters. Clear the search, or choose all countries.",
            icon=":material/filter_alt_off:",
        )
        return
    st.info("There are no customers yet. Import a file of customers first.", icon=":material/groups:")
    if actor.may(Permission.IMPORT) and st.button("Import customers", icon=":material/upload_file:"):
        opened.go_to("imports.py")


def _open(row: CustomerSummary) -> None:
    st.query_params["customer"] = str(row.customer_id)
