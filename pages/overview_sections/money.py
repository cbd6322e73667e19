"""The money cards: what was invoiced and came in, what is owed and late, and how long customers take to pay."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

import streamlit as st

from billing_core import figures as sums
from billing_core.dates import Day, Period, day_in, first_of_month, usual_day
from billing_core.figures import Asked, Scope
from billing_core.identity import Actor, Permission
from billing_core.receivables import debts, figures
from billing_core.receivables.figures import DAYS_SALES_OUTSTANDING as DSO
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.figures import cards
from pages.ui.figures.cards import Card, Known
from pages.ui.figures.drilldown import csv_address, explain, say_whether
from pages.ui.reads import Reader
from pages.ui.text import md


@dataclass(frozen=True, slots=True)
class MoneyScopes:
    """``day``: the one asked for, or today. ``flow``: what happened in ``period``. ``state``: how it stood on the day
    asked for, or now. ``earlier``: how it stood at the end of the month before. ``end``: how it stood when the period
    ended, or now where it runs on.
    """

    period: Period
    day: date
    flow: Scope
    state: Scope
    earlier: Scope
    end: Scope


def scopes_of(actor: Actor, period: Period, *, today: Day, known_at: datetime | None, zone: str) -> MoneyScopes:
    """What the cards are asked for. Known on a day means how it was on that day, too."""
    day = usual_day(today) if known_at is None else day_in(zone, known_at - timedelta(seconds=1))
    flow = debts.scope(actor, period=period, known_at=known_at, today=day)
    now = replace(flow, period=None, today=today)
    state = now if known_at is None else replace(now, as_at=day)
    earlier = replace(state, as_at=first_of_month(day) - timedelta(days=1))
    end = state if period.end >= day else replace(state, as_at=period.end)
    return MoneyScopes(period, day, flow, state, earlier, end)


def shown(scopes: MoneyScopes, currency: str) -> list[Card]:
    return [
        Card(figures.INVOICED, scopes.flow, compared=True, currency=currency),
        Card(figures.COLLECTED, scopes.flow, compared=True, currency=currency),
        Card(figures.OUTSTANDING, scopes.state, currency=currency, earlier=scopes.earlier),
        Card(figures.OVERDUE, scopes.state),
        Card(figures.CUSTOMER_CREDIT, scopes.state),
    ]


def more(scopes: MoneyScopes) -> list[Asked]:
    """What else has to be known for the days sales outstanding."""
    return [(DSO.dividend, scopes.end), (DSO.divisor, scopes.flow)]


def draw(all_cards: list[Card], known: Known, scopes: MoneyScopes) -> None:
    """Nothing while nothing was ever invoiced or paid."""
    mine = {one for card in all_cards for one in card.needed} | set(more(scopes))
    if not any(known[one] for one in mine if one in known):
        return
    st.caption(
        f"Invoiced and collected in {formats.period(scopes.period)}; owed, overdue and credit "
        + (f"as of {formats.day(scopes.state.as_at)}." if scopes.state.as_at else "as of now.")
    )
    with_rows = [card for card in all_cards if card.currency or card.amounts(known, card.scope)]
    cards.draw(with_rows, known, key="money", more=_days_outstanding(known, scopes))


def _days_outstanding(known: Known, scopes: MoneyScopes) -> list[Callable[[], None]]:
    """One card per currency."""
    period = _counted(scopes)
    if period is None:
        return []
    days = DSO.days(known[DSO.dividend, scopes.end], known[DSO.divisor, scopes.flow], period)
    return [partial(_days, code, count, scopes, period) for code, count in days.items()]


def _days(code: str, count: int, scopes: MoneyScopes, period: Period) -> None:
    with st.container(border=True, gap="xxsmall", height="stretch"):
        st.metric(f"{DSO.title}, {code}", formats.counted(count, "day"), help=md(DSO.definition))
        if st.button("Show rows", key=f"money_dso_{code}", type="tertiary", icon=":material/table_rows:"):
            panel(code, count, scopes, period)


def _counted(scopes: MoneyScopes) -> Period | None:
    """The days of the period that have passed on the day asked for."""
    period, day = scopes.period, scopes.day
    if period.start > day:
        return None
    return Period(period.start, min(period.end, day))


@st.dialog("Where this figure comes from", width="large", icon=":material/account_tree:")
def panel(code: str, days: int, scopes: MoneyScopes, period: Period) -> None:
    """The two figures that it divides, and the rows of what is owed."""
    actor = signed_in()
    read = Reader(actor)
    end, flow = replace(scopes.end, currency=code), replace(scopes.flow, currency=code)
    owed = read(sums.proven, DSO.dividend, end).get(code, 0)
    invoiced = read(sums.proven, DSO.divisor, flow).get(code, 0)
    explain(DSO.title, formats.counted(days, "day"), DSO.definition, DSO.formula)
    calculation = (
        f"{formats.money(owed, code)} ÷ {formats.money(invoiced, code)} × {formats.counted(period.days, 'day')}"
    )
    say_whether(calculation, DSO.days({code: owed}, {code: invoiced}, period) == {code: days})
    total = read(sums.row_count, DSO.dividend, end)
    skipped = tables.pager(total, key="rows_dso", noun="row", size=25, of=end)
    tables.show(
        read(sums.page, DSO.dividend, end, limit=25, offset=skipped),
        [
            tables.text("Owed on", "label"),
            tables.day("Due", "date"),
            tables.money("Amount", "amount"),
            tables.currency_of(),
            tables.link("Open", lambda row: DSO.dividend.opens.format(id=row.id)),
        ],
        key="rows_of_dso",
        alt="What is owed at the end",
    )
    if not actor.may(Permission.EXPORT):
        return
    with st.container(horizontal=True):
        st.link_button("What is owed as CSV", csv_address(DSO.dividend, end), icon=":material/download:")
        st.link_button("What was invoiced as CSV", csv_address(DSO.divisor, flow), icon=":material/download:")
