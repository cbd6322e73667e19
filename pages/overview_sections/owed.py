"""What was invoiced against what came in, by month, and what is owed by age: one currency at a time."""

from dataclasses import replace

import streamlit as st

from billing_core.dates import Period, add_months, first_of_month, last_of_month
from billing_core.figures import Scope
from billing_core.identity import Actor
from billing_core.receivables import ageing, figures, series
from pages.overview_sections.money import Times
from pages.payment_sections import ageing as aged
from pages.ui.figures import charts
from pages.ui.figures.drilldown import Behind, answer, ask
from pages.ui.reads import Reader

MONTHS = 12
_SHOWN = (figures.INVOICED, figures.COLLECTED)


@st.fragment
def draw(actor: Actor, asked: Times, *, own_currency: str) -> None:
    """Nothing while nothing was invoiced or paid in the twelve months and nothing is owed."""
    read = Reader(actor)
    year = replace(asked.flow, period=_year_until(asked.flow))
    points = read.plain(series.by_month, year)
    owed = read(ageing.by_currency, asked.state)
    currencies = sorted({point.currency for point in points})
    if currencies:
        currency = _currency(currencies, own_currency)
        months = list(year.period.months()) if year.period else []
        found = {point.month: point for point in points if point.currency == currency}
        invoiced = [found[month].invoiced_minor if month in found else 0 for month in months]
        collected = [found[month].collected_minor if month in found else 0 for month in months]
        st.subheader(f"Invoiced and collected by month, {currency}", anchor=False)
        clicked = charts.two_by_month(
            months,
            (invoiced, collected),
            ("Invoiced", "Collected"),
            currency,
            key="money_by_month",
            alt=f"Invoiced and collected in {currency} in each of the last {MONTHS} months",
        )
        if clicked is not None and clicked[1] < len(months):
            which, place = clicked
            of_month = replace(year, period=Period.month_of(months[place]), currency=currency)
            ask(Behind(_SHOWN[which], of_month, (invoiced, collected)[which][place], currency))
    if owed:
        st.subheader("Owed, by the days since it was due", anchor=False)
        aged.table(owed, asked.state, key="overview_ageing", alt="What is owed by age, a currency")
        if st.button("Who owes it", icon=":material/arrow_forward:", type="tertiary", key="to_ageing"):
            st.switch_page("payments.py", query_params={"payments_tab": "Ageing"})
    answer()


def _currency(currencies: list[str], own: str) -> str:
    default = own if own in currencies else currencies[0]
    if len(currencies) == 1:
        return default
    chosen = st.segmented_control(
        "Currency", currencies, default=default, key="overview_money_currency", bind="query-params", required=True
    )
    return chosen or default


def _year_until(scope: Scope) -> Period | None:
    """The twelve months that end with the period, or with the day on which it is asked."""
    if scope.period is None or scope.today is None:
        return None
    last = min(scope.period.end, scope.today)
    return Period(add_months(first_of_month(last), 1 - MONTHS), last_of_month(last))
