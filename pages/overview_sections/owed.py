"""What was invoiced against what came in, by month, and what is owed by age: one currency at a time."""

from dataclasses import replace

import streamlit as st

from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.receivables import ageing, figures, series
from pages.overview_sections import months
from pages.overview_sections.money import MoneyScopes
from pages.payment_sections import ageing as aged
from pages.ui.figures import charts
from pages.ui.figures.drilldown import Drilldown, open_requested, request_rows
from pages.ui.reads import Reader

_SHOWN = (figures.INVOICED, figures.COLLECTED)


@st.fragment
def draw(actor: Actor, scopes: MoneyScopes, *, own_currency: str) -> None:
    """Nothing while nothing was invoiced or paid in the twelve months and nothing is owed."""
    read = Reader(actor)
    twelve_months = months.until(min(scopes.period.end, scopes.day))
    year = replace(scopes.flow, period=twelve_months)
    points = read.plain(series.by_month, year)
    owed = read(ageing.by_currency, scopes.state)
    currencies = sorted({point.currency for point in points})
    if currencies:
        currency = months.choose_currency(currencies, own_currency, key="overview_money_currency")
        shown = list(twelve_months.months())
        by_month = {point.month: point for point in points if point.currency == currency}
        invoiced = [by_month[month].invoiced_minor if month in by_month else 0 for month in shown]
        collected = [by_month[month].collected_minor if month in by_month else 0 for month in shown]
        st.subheader(f"Invoiced and collected by month, {currency}", anchor=False)
        clicked = charts.two_by_month(
            shown,
            (invoiced, collected),
            ("Invoiced", "Collected"),
            currency,
            key="money_by_month",
            alt=f"Invoiced and collected in {currency} in each of the last {months.MONTHS} months",
        )
        if clicked is not None and clicked[1] < len(shown):
            which, place = clicked
            of_month = replace(year, period=Period.month_of(shown[place]), currency=currency)
            request_rows(Drilldown(_SHOWN[which], of_month, (invoiced, collected)[which][place], currency))
    if owed:
        st.subheader("Owed, by days past due", anchor=False)
        aged.table(owed, scopes.state, key="overview_ageing", alt="What is owed by age, per currency")
        if st.button("See who owes it", icon=":material/arrow_forward:", type="tertiary", key="to_ageing"):
            st.switch_page("payments.py", query_params={"payments_tab": "Ageing"})
    open_requested()
