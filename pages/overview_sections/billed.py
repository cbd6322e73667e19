"""What was billed by month, by service and by customer: one currency at a time."""

from dataclasses import replace
from datetime import date
from functools import partial

import streamlit as st

from billing_core.dates import Period
from billing_core.figures import Figure, Scope
from billing_core.identity import Actor
from billing_core.reports import figures, series
from billing_core.reports.series import CustomerPoint
from pages.overview_sections import months
from pages.ui import formats, tables
from pages.ui.figures import charts
from pages.ui.figures.drilldown import Drilldown, open_requested, request_rows
from pages.ui.reads import Reader
from pages.ui.text import md

MOST_SERVICES = 8


@st.fragment
def draw(actor: Actor, scope: Scope, *, today: date, own_currency: str) -> None:
    read = Reader(actor)
    twelve_months = months.until(scope.period.end if scope.period else today)
    year = replace(scope, period=twelve_months)
    points = read.plain(series.by_month, year)
    currencies = sorted({point.currency for point in points})
    currency = months.choose_currency(currencies, own_currency, key="overview_currency")
    grid = st.grid(2, min_column_width=380, gap="medium")
    left, right = grid.cell(), grid.cell()
    with left:
        st.subheader(f"Billed by month, {currency}", anchor=False)
        amounts = {point.month: point.amount_minor for point in points if point.currency == currency}
        shown = list(twelve_months.months())
        month = charts.money_by_month(
            shown,
            [amounts.get(month, 0) for month in shown],
            currency,
            key="billed_by_month",
            alt=f"Billed in {currency} in each of the last {months.MONTHS} months",
        )
        if month is not None and month < len(shown):
            one_month = replace(year, period=Period.month_of(shown[month]), currency=currency)
            request_rows(Drilldown(figures.BILLED, one_month, amounts.get(shown[month], 0), currency))
    of_currency = replace(scope, currency=currency)
    with right:
        st.subheader(f"By service, {currency}", anchor=False)
        services = read.plain(series.by_service, of_currency)[:MOST_SERVICES]
        if services:
            service = charts.money_by_name(
                [point.service_name for point in services],
                [point.amount_minor for point in services],
                currency,
                key="billed_by_service",
                alt=f"Billed in {currency} by service, the largest first",
            )
            if service is not None and service < len(services):
                chosen = services[service]
                of_service = replace(figures.billed_for(chosen.service_id), title=chosen.service_name)
                request_rows(Drilldown(of_service, of_currency, chosen.amount_minor, currency))
        else:
            st.caption(f"Nothing was billed in {currency} in {md(_named(scope))}.")
    st.caption(
        "A report belongs to the month in which it ends, even if it covers several. "
        "Click a bar or an amount to see the rows behind it, a customer to open it."
    )
    _top_customers(read, of_currency, currency)
    open_requested()


def _top_customers(read: Reader, scope: Scope, currency: str) -> None:
    top = read.plain(series.by_customer, scope, limit=10)
    st.subheader(f"Top customers, {currency}", anchor=False)
    if not top:
        st.caption(f"No customer was billed in {currency} in {md(_named(scope))}. Choose another period.")
        return
    tables.show(
        top,
        [
            tables.text("Customer", "customer_name"),
            tables.count("Reports", "report_count").opening(partial(_rows, figures.REPORTS, scope)),
            tables.money("Billed", "amount_minor").opening(partial(_rows, figures.BILLED, scope)),
            tables.currency_of(),
        ],
        key="top_customers",
        alt=f"The ten customers who were billed most in {currency}",
        opens=_open,
    )
    chosen = st.session_state.pop("overview_customer", None)
    if chosen is not None:
        st.switch_page("customers.py", query_params={"customer": str(chosen)})


def _open(point: CustomerPoint) -> None:
    st.session_state["overview_customer"] = point.customer_id


def _rows(figure: Figure, scope: Scope, point: CustomerPoint) -> None:
    of_customer = replace(scope, customer_id=point.customer_id)
    if figure is figures.BILLED:
        request_rows(Drilldown(figure, of_customer, point.amount_minor, point.currency))
    else:
        request_rows(Drilldown(figure, of_customer, point.report_count))


def _named(scope: Scope) -> str:
    return formats.period(scope.period) if scope.period else "all time"
