"""Figures as cards. Each opens into its definition, its rows, and the check that the rows add up to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy.orm import Session
from streamlit.delta_generator import DeltaGenerator

from billing_core import figures
from billing_core.customers import queries as customers
from billing_core.figures import Figure, Scope
from billing_core.identity import Permission
from billing_core.money import Money
from billing_core.reports.figures import Ratio
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader
from pages.ui.text import md

CARD_WIDTH = 200
BEGINNING = date(1900, 1, 1)
MOST_ACROSS = 4


def wall(count: int) -> DeltaGenerator:
    """Where ``count`` cards stand: in full rows where that many fit beside each other."""
    across = min(range(MOST_ACROSS, 1, -1), key=lambda columns: -count % columns)
    return st.grid(across, min_column_width=CARD_WIDTH, gap="small")


def cards(
    read: Reader,
    shown: Sequence[Figure],
    scope: Scope,
    *,
    key: str,
    compared: bool = False,
    currency: str = "",
) -> None:
    """One card per figure and currency; put them on a ``wall``.

    ``currency`` is shown with a 0 where a money figure has no rows yet. With
    ``compared`` each card tells the change against the period before.
    """
    for figure in shown:
        now = read.plain(figures.value, figure, scope)
        before = read.plain(figures.value, figure, _before(scope)) if compared and scope.period else None
        codes: list[str | None] = [*sorted(code for code in now if code is not None)]
        for code in codes or [None if None in now or not currency else currency]:
            card(figure, scope, code, now.get(code, 0), key=key, before=before)


def ratio_cards(
    read: Reader,
    ratio: Ratio,
    value: Callable[[Session, Scope], list[Money]],
    scope: Scope,
    *,
    key: str,
    compared: bool = False,
) -> None:
    """One card per currency of a figure divided by another."""
    before = None
    if compared and scope.period:
        before = {money.currency: money.minor for money in read.plain(value, _before(scope))}
    for money in read.plain(value, scope):
        card(ratio, scope, money.currency, money.minor, key=key, before=before)


@dataclass(frozen=True, slots=True)
class Behind:
    """A number whose rows somebody asked to see by a click in a table. A ratio's divisor is opened with it."""

    figure: Figure | Ratio
    scope: Scope
    amount: int
    currency: str | None = None


def ask(behind: Behind) -> None:
    """In a callback: show these rows in the run that follows."""
    st.session_state["rows_asked_for"] = behind


def answer() -> None:
    """Open the panel that was asked for, if one was; once a page, at its end."""
    asked: Behind | None = st.session_state.pop("rows_asked_for", None)
    if asked is not None:
        open_panel(asked)


def open_panel(behind: Behind) -> None:
    if isinstance(behind.figure, Ratio):
        ratio_panel(behind.figure, behind.scope, Money(behind.amount, behind.currency or ""))
    else:
        panel(behind.figure, behind.scope, behind.amount, behind.currency)


def value_text(amount: int, currency: str | None) -> str:
    return formats.count(amount) if currency is None else formats.money(amount, currency)


def card(
    figure: Figure | Ratio,
    scope: Scope,
    currency: str | None,
    amount: int,
    *,
    key: str,
    before: Mapping[Any, int] | None = None,
) -> None:
    """One number that is already known: minor units of a currency, or a count where there is none."""
    change, against = _change(amount, currency, before, scope)
    with st.container(border=True, gap="xxsmall", height="stretch"):
        st.metric(
            md(figure.title),
            value_text(amount, currency),
            change,
            delta_color="off",
            delta_description=against,
            help=md(figure.definition),
        )
        if _opened(f"{key}_{figure.key}_{currency or 'count'}", figure.title):
            open_panel(Behind(figure, replace(scope, currency=currency) if currency else scope, amount, currency))


def _opened(key: str, title: str) -> bool:
    return st.button(
        "Show rows",
        key=key,
        type="tertiary",
        icon=":material/table_rows:",
        help=f"The rows behind “{md(title)}” and their sum",
    )


def _change(
    amount: int, currency: str | None, before: Mapping[Any, int] | None, scope: Scope
) -> tuple[str | int | None, str | None]:
    if before is None or scope.period is None:
        return None, None
    earlier = formats.period(scope.period.before())
    past = before.get(currency, 0)
    if amount == past:
        return 0, f"as in {earlier}"
    change = formats.percent_change(amount, past)
    return (change or f"+{value_text(amount, currency)}" if past == 0 else change), f"vs. {earlier}"


def _before(scope: Scope) -> Scope:
    return replace(scope, period=scope.period.before() if scope.period else None)


@st.dialog("Where this figure comes from", width="large", icon=":material/account_tree:")
def panel(figure: Figure, scope: Scope, amount: int, currency: str | None) -> None:
    """The figure's definition, formula and rows, their sum, and whether it is the figure."""
    actor = signed_in()
    read = Reader(actor)
    st.metric(md(figure.title), value_text(amount, currency))
    st.markdown(f"{md(figure.definition)}  \n**Formula:** {md(figure.formula)}")
    st.caption(md(_limits(read, scope)))
    proven = read.plain(figures.proven, figure, scope).get(currency, 0)
    if proven == amount:
        st.success(f"Sum of the rows: {value_text(proven, currency)} = the figure ✓", icon=":material/check_circle:")
    else:
        st.error(
            f"The rows add up to {value_text(proven, currency)}, not to {value_text(amount, currency)}. "
            "Reload the page; if it stays, run “python -m billing_core verify”.",
            icon=":material/error:",
        )
    _rows(read, figure, scope, currency)
    if actor.may(Permission.EXPORT):
        st.link_button("Download rows as CSV", csv_address(figure, scope), icon=":material/download:")


@st.dialog("Where this figure comes from", width="large", icon=":material/account_tree:")
def ratio_panel(ratio: Ratio, scope: Scope, value: Money) -> None:
    """The two figures that a ratio divides, and the rows of the upper one."""
    actor = signed_in()
    read = Reader(actor)
    st.metric(ratio.title, formats.money(value.minor, value.currency))
    st.markdown(f"{md(ratio.definition)}  \n**Formula:** {md(ratio.formula)}")
    st.caption(md(_limits(read, scope)))
    dividend = read.plain(figures.proven, ratio.dividend, scope).get(value.currency, 0)
    divisor = read.plain(figures.proven, ratio.divisor, scope).get(None, 0)
    quotient = Money.rounded(Money(dividend, value.currency).amount / divisor, value.currency) if divisor else None
    calculation = f"{formats.money(dividend, value.currency)} ÷ {formats.count(divisor)}"
    if quotient == value:
        st.success(f"{calculation} = the figure ✓", icon=":material/check_circle:")
    else:
        st.error(f"{calculation} is not the figure. Reload the page.", icon=":material/error:")
    _rows(read, ratio.dividend, scope, value.currency)
    if actor.may(Permission.EXPORT):
        st.link_button("Download rows as CSV", csv_address(ratio.dividend, scope), icon=":material/download:")


def _rows(read: Reader, figure: Figure, scope: Scope, currency: str | None) -> None:
    total = read.plain(figures.row_count, figure, scope)
    skipped = tables.pager(total, key=f"rows_{figure.key}", noun="row", size=25)
    rows = read.plain(figures.page, figure, scope, limit=25, offset=skipped)
    columns = [
        tables.computed("What", lambda row: formats.with_days(row.label), width="large"),
        tables.day("Date", "date"),
    ]
    if currency is None:
        columns.append(tables.count("Count", "amount"))
    else:
        columns += [tables.money("Amount", "amount"), tables.currency_of()]
    if figure.opens:
        columns.append(tables.link("Open", lambda row: figure.opens.format(id=row.id)))
    tables.show(rows, columns, key=f"rows_of_{figure.key}", alt=f"Rows of the figure {figure.title}")


def csv_address(figure: Figure, scope: Scope) -> str:
    """Where the same rows stream as a file."""
    facts = {
        "start_date": scope.period.start.isoformat() if scope.period else None,
        "end_date": scope.period.end.isoformat() if scope.period else None,
        "currency": scope.currency,
        "customer_id": scope.customer_id,
        "known_at": scope.known_at.isoformat() if scope.known_at else None,
    }
    query = urlencode({name: value for name, value in facts.items() if value is not None})
    return f"/downloads/figures/{figure.key}.csv" + (f"?{query}" if query else "")


def _limits(read: Reader, scope: Scope) -> str:
    parts = [
        _days(scope),
        scope.currency or "",
        read(customers.one, scope.customer_id).name if scope.customer_id else "",
        f"as known at {formats.instant(scope.known_at, read.company.time_zone)}" if scope.known_at else "",
    ]
    return " · ".join(part for part in parts if part)


def _days(scope: Scope) -> str:
    if scope.period is None:
        return "All time"
    # What is asked for "up to a day" starts before there were any data.
    if scope.period.start < BEGINNING:
        return f"Up to {formats.day(scope.period.end)}"
    return formats.period(scope.period)
