"""Overview: what was billed, and what needs a hand. Every number opens into its rows."""

import streamlit as st

from billing_core import figures as figure
from billing_core.identity import Permission
from billing_core.reports import figures
from pages.overview_sections import attention, billed, first_steps
from pages.ui import filters
from pages.ui.context import require
from pages.ui.figures import cards, ratio_cards, wall
from pages.ui.reads import Reader

actor = require(Permission.REPORT_READ)
read = Reader(actor)
company = read.company
today = read.today

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
    st.title("Overview", anchor=False, width="content")
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="bottom", width=560):
        period = filters.period(today, key="period")
        known_at = filters.known_at(today, company.time_zone, key="known")
        filters.saved_views(read, actor, "overview")

scope = figures.scope(actor, period=period, known_at=known_at)
if first_steps.needed(read):
    first_steps.draw(read, actor)
    st.stop()

closed = figures.scope(actor, period=figures.closed_months(today), known_at=known_at)
currencies = read.plain(figure.money, figures.BILLED, scope)
# Billed and its average once a currency, and four counts.
with wall(2 * len(currencies) + 4 if currencies else 5):
    cards(read, [figures.BILLED], scope, key="overview_money", compared=True, currency=company.currency)
    ratio_cards(read, figures.AVERAGE_REPORT, figures.average_report, scope, key="overview_average", compared=True)
    cards(read, [figures.REPORTS, figures.ORDERS_BILLED], scope, key="overview_counts", compared=True)
    cards(read, [figures.OPEN_QUESTIONS], scope, key="overview_questions", compared=True)
    cards(read, [figures.UNBILLED_ORDERS], closed, key="overview_unbilled")

attention.draw(read, actor, today=today, known_at=known_at)
billed.draw(actor, scope, today=today, own_currency=company.currency)
