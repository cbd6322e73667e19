"""Overview: what was billed, and what needs a hand. Every number opens into its rows."""

import streamlit as st

from billing_core.identity import Permission
from billing_core.reports import figures
from pages.overview_sections import attention, billed, data_age, first_steps
from pages.ui import filters
from pages.ui.context import require
from pages.ui.figures import cards, ratio_cards, wall
from pages.ui.reads import Reader

actor = require(Permission.REPORT_READ)
read = Reader(actor)
company = read.company
today = read.today

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
    with st.container(width=360, gap="xxsmall"):
        st.title("Overview", anchor=False)
        data_age.draw(read)
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="bottom", width=560):
        period = filters.period(today, key="period")
        known_at = filters.known_at(today, company.time_zone, key="known")
        filters.saved_views(read, actor, "overview")

scope = figures.scope(actor, period=period, known_at=known_at)
if first_steps.needed(read):
    first_steps.draw(read, actor)
    st.stop()

with wall():
    cards(read, [figures.BILLED], scope, key="overview_money", compared=True, currency=company.currency)
    ratio_cards(read, figures.AVERAGE_REPORT, figures.average_report, scope, key="overview_average")
    cards(read, [figures.REPORTS, figures.ORDERS_BILLED], scope, key="overview_counts", compared=True)
    closed = figures.scope(actor, period=figures.closed_months(today), known_at=known_at)
    cards(read, [figures.UNBILLED_ORDERS], closed, key="overview_unbilled")

attention.draw(read, actor, today=today, known_at=known_at)
billed.draw(actor, scope, today=today, own_currency=company.currency)
