"""Figures as cards. Each opens into its definition, its rows, and the check that the rows add up to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy.orm import Session
from streamlit.delta_generator import DeltaGenerator

from billing_core import figures
from billing_core.figures import Figure, Scope
from billing_core.identity import Permission
from billing_core.money import Money
from billing_core.reports.figures import Ratio
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader
from pages.ui.text import md

CARD_WIDTH = 215


def wall() -> DeltaGenerator:
    """Where cards stand: as many beside each other as fit."""
    return st.grid("auto", min_column_width=CARD_WIDTH, gap="small")


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
            _card(figure, scope, code, now.get(code, 0), before, key)


def ratio_cards(
    read: Reader,
    ratio: Ratio,
    value: Callable[[Session, Scope], list[Money]],
    scope: Scope,
    *,
    key: str,
) -> None:
    """One card per currency of a figure divided by another."""
    for money in read.plain(value, scope):
        with st.container(border=True, gap="xxsmall", height="stretch"):
            st.metric(ratio.title, formats.money(money.minor, money.currency), help=md(ratio.definition))
            if st.button("Show rows", key=f"{key}_{money.currency}", type="tertiary", icon=":material/table_rows:"):
                ratio_panel(ratio, replace(scope, currency=money.currency), money)


def value_text(amount: int, currency: str | None) -> str:
    return formats.count(amount) if currency is None else formats.money(amount, currency)


def _card(
    figure: Figure,
    scope: Scope,
    currency: str | None,
    amount: int,
    before: dict[str | None, int] | None,
    key: str,
) -> None:
    change, against = _change(amount, currency, before, scope)
    with st.container(border=True, gap="xxsmall", height="stretch"):
        st.metric(
            figure.title,
            value_text(amount, currency),
            change,
            delta_color="off",
            delta_description=against,
            help=md(figure.definition),
        )
        if st.button(
            "Show rows",
            key=f"{key}_{figure.key}_{currency or 'count'}",
            type="tertiary",
            icon=":material/table_rows:",
            help=f"The rows behind “{md(figure.title)}” and their sum",
        ):
            panel(figure, replace(scope, currency=currency) if currency else scope, amount, currency)


def _change(
    amount: int, currency: str | None, before: dict[str | None, int] | None, scope: Scope
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
    st.metric(figure.title, value_text(amount, currency))
    st.markdown(f"{md(figure.definition)}  \n**Formula:** {md(figure.formula)}")
    st.caption(_limits(scope))
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
    st.caption(_limits(scope))
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
    skipped = tables.pager(total, key=f"rows_{figure.key}", noun="rows", size=25)
    rows = read.plain(figures.page, figure, scope, limit=25, offset=skipped)
    columns = [tables.text("What", "label", width="large"), tables.day("Date", "date")]
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


def _limits(scope: Scope) -> str:
    parts = [
        formats.period(scope.period) if scope.period else "All time",
        scope.currency or "",
        "one customer" if scope.customer_id else "",
        f"as known at {scope.known_at:%Y-%m-%d %H:%M} UTC" if scope.known_at else "",
    ]
    return " · ".join(part for part in parts if part)
