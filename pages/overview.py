"""Overview: what was billed, invoiced and paid, and what needs a hand. Every number opens into its rows."""

import streamlit as st

from billing_core.identity import Permission
from billing_core.reports import figures
from pages.overview_sections import attention, billed, first_steps, money, newest_report, owed
from pages.ui import address, formats
from pages.ui.context import require
from pages.ui.figures import cards
from pages.ui.figures.cards import Card
from pages.ui.inputs import filters
from pages.ui.reads import Reader

actor = require(Permission.REPORT_READ)
read = Reader(actor)
company = read.company
today = read.today

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
    st.title("Overview", anchor=False, width="content")
    with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        period = filters.period(today, key="period")
        known_at = filters.known_at(today, company.time_zone, key="known")
        filters.saved_views(read, actor, "overview")
address.stop_in_doubt()

scope = figures.scope(actor, period=period, known_at=known_at)
closed = figures.scope(actor, period=figures.closed_months(today), known_at=known_at)
report_cards = [
    Card(figures.BILLED, scope, compared=True, currency=company.currency),
    Card(figures.AVERAGE_REPORT, scope, compared=True),
    Card(figures.REPORTS, scope, compared=True),
    Card(figures.ORDERS_BILLED, scope, compared=True),
    Card(figures.OPEN_QUESTIONS, scope, compared=True),
    Card(figures.UNBILLED_ORDERS, closed),
]
scopes = money.scopes_of(actor, period, today=read.days, known_at=known_at, zone=company.time_zone)
money_cards = money.shown(scopes, company.currency)
matters = attention.matters(actor, read.days, known_at)
more = [(matter.shown, matter.scope) for matter in matters] + money.more(scopes)
known = cards.values(read, [*money_cards, *report_cards], more)

starting = first_steps.needed(read)
if starting:
    first_steps.draw(read, actor)
elif not known[figures.REPORTS, scope]:
    newest_report.draw(read, scope, period_key="period")

money.draw(money_cards, known, scopes)
st.caption(
    f"Reports that end in {formats.period(period)}, and their open questions. "
    f"Unbilled orders are of all months up to {formats.day(figures.closed_months(today).end)}."
)
cards.draw(report_cards, known, key="overview")
attention.draw(read, actor, matters, known, starting=starting)
owed.draw(actor, scopes, own_currency=company.currency)
billed.draw(actor, scope, today=today, own_currency=company.currency)
