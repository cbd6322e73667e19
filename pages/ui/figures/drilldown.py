"""Where a figure opens: its definition, its rows, and the check that the rows add up to it."""

from dataclasses import dataclass
from datetime import date

import streamlit as st

from billing_core import figures
from billing_core.customers import queries as customers
from billing_core.dates import EARLIEST_DAY
from billing_core.figures import Figure, Ratio, Scope
from billing_core.identity import Permission
from billing_core.money import Money
from pages.ui import downloads, formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader
from pages.ui.text import md


@dataclass(frozen=True, slots=True)
class Drilldown:
    """A number whose rows somebody asked to see by a click in a table. A ratio's divisor is opened with it."""

    figure: Figure | Ratio
    scope: Scope
    amount: int
    currency: str | None = None


def request_rows(drilldown: Drilldown) -> None:
    """In a callback: show these rows in the run that follows."""
    st.session_state["rows_asked_for"] = drilldown


def open_requested() -> None:
    """Open the panel that was asked for, if one was; once per page, at its end."""
    requested: Drilldown | None = st.session_state.pop("rows_asked_for", None)
    if requested is not None:
        open_panel(requested)


def open_panel(drilldown: Drilldown) -> None:
    if isinstance(drilldown.figure, Ratio):
        ratio_panel(drilldown.figure, drilldown.scope, Money(drilldown.amount, drilldown.currency or ""))
    else:
        panel(drilldown.figure, drilldown.scope, drilldown.amount, drilldown.currency)


def value_text(amount: int, currency: str | None) -> str:
    return formats.count(amount) if currency is None else formats.money(amount, currency)


@st.dialog("Where this figure comes from", width="large", icon=":material/account_tree:")
def panel(figure: Figure, scope: Scope, amount: int, currency: str | None) -> None:
    """The figure's definition, formula and rows, their sum, and whether it is the figure."""
    actor = signed_in()
    read = Reader(actor)
    explain(figure.title, value_text(amount, currency), figure.definition, figure.formula)
    st.caption(md(_limits(read, scope)))
    proven = read(figures.proven, figure, scope).get(currency, 0)
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
    explain(ratio.title, formats.money(value.minor, value.currency), ratio.definition, ratio.formula)
    st.caption(md(_limits(read, scope)))
    dividend = read(figures.proven, ratio.dividend, scope).get(value.currency, 0)
    divisor = read(figures.proven, ratio.divisor, scope).get(None, 0)
    quotient = ratio.quotient(Money(dividend, value.currency), divisor) if divisor else None
    say_whether(f"{formats.money(dividend, value.currency)} ÷ {formats.count(divisor)}", quotient == value)
    _rows(read, ratio.dividend, scope, value.currency)
    if actor.may(Permission.EXPORT):
        st.link_button("Download rows as CSV", csv_address(ratio.dividend, scope), icon=":material/download:")


def explain(title: str, value: str, definition: str, formula: str) -> None:
    """A figure, what it means, and how it is computed."""
    st.metric(md(title), value)
    st.markdown(f"{md(definition)}  \n**Formula:** {md(formula)}")


def say_whether(calculation: str, agrees: bool) -> None:
    """Whether the calculation comes to the figure that was shown."""
    if agrees:
        st.success(f"{calculation} = the figure ✓", icon=":material/check_circle:")
    else:
        st.error(f"{calculation} is not the figure. Reload the page.", icon=":material/error:")


def _rows(read: Reader, figure: Figure, scope: Scope, currency: str | None) -> None:
    total = read(figures.row_count, figure, scope)
    skipped = tables.pager(total, key=f"rows_{figure.key}", noun="row", size=25, of=(scope, currency))
    rows = read(figures.page, figure, scope, limit=25, offset=skipped)
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
    period = scope.period
    return downloads.address(
        f"figures/{figure.key}.csv",
        start_date=period and period.start,
        end_date=period and period.end,
        currency=scope.currency,
        customer_id=scope.customer_id,
        known_at=scope.known_at,
        as_at=scope.as_at,
        # Where our businesses have different days, the file asks for them itself.
        today=scope.today if isinstance(scope.today, date) else None,
    )


def _limits(read: Reader, scope: Scope) -> str:
    parts = [
        _days(scope),
        scope.currency or "",
        read(customers.one, scope.customer_id).name if scope.customer_id else "",
        f"as known at {formats.instant(scope.known_at, read.company.time_zone)}" if scope.known_at else "",
    ]
    return " · ".join(part for part in parts if part)


def _days(scope: Scope) -> str:
    if scope.as_at is not None:
        return f"As of {formats.day(scope.as_at)}"
    if scope.period is None:
        return "All time"
    # What is asked for "up to a day" starts before there were any data.
    if scope.period.start < EARLIEST_DAY:
        return f"Up to {formats.day(scope.period.end)}"
    return formats.period(scope.period)
