"""The return as a table for each currency, and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import streamlit as st

from billing_core.dates import Period
from billing_core.identity import Actor, Permission
from billing_core.tax_returns import queries
from billing_core.tax_returns.documents import Cell
from billing_core.tax_returns.figures import Measure, of_cell
from billing_core.tax_returns.queries import TaxRow
from pages.tax_sections.asking import PERIOD_KEY, Asked
from pages.ui import export_menu, formats, tables
from pages.ui.export_menu import Export
from pages.ui.figures.drilldown import Drilldown, request_rows
from pages.ui.inputs import filters
from pages.ui.reads import Reader
from pages.ui.text import md

# In pixels: all columns fit beside each other on a usual screen. And in letters that surely fit into it.
_REASON_WIDTH, _REASON_LINE = 204, 27
_COLUMNS: Mapping[str, Measure] = {
    "Taxable": Measure.NET,
    "Tax": Measure.TAX,
    "Invoiced": Measure.INVOICED_NET,
    "Invoiced tax": Measure.INVOICED_TAX,
    "Credited": Measure.CREDITED_NET,
    "Credited tax": Measure.CREDITED_TAX,
}


@dataclass(frozen=True, slots=True)
class _Line:
    """One country and rate, or the sum of all. ``amounts`` in minor units."""

    cell: Cell
    currency: str
    country: str
    rate: str
    reason: str
    amounts: Mapping[Measure, int]


def draw(read: Reader, actor: Actor, asked: Asked) -> None:
    rows = read(queries.tax_return, asked.scope, business_id=asked.business_id)
    if not rows:
        _nothing(read, asked)
        return
    st.caption(
        "Invoices and credit notes count on the day that stands on them, whether they are paid or not; what is left of "
        "a cancelled invoice is taken off on the day of cancelling. Amounts that were written off are not taken off. "
        "The country is the customer’s when the invoice was sent."
    )
    for currency, of_currency in groupby(rows, key=lambda row: row.currency):
        st.subheader(currency, anchor=False)
        _table(list(of_currency), asked, currency)
    st.caption("Click an amount to see its documents, or tick a row.")
    if actor.may(Permission.EXPORT):
        _files(asked)


def _table(rows: Sequence[TaxRow], asked: Asked, currency: str) -> None:
    columns = [
        tables.computed("Country", lambda line: line.country, width=120),
        tables.computed("Tax %", lambda line: line.rate, right=True, width=62),
        *(_amount(label, measure, asked) for label, measure in _COLUMNS.items()),
        tables.text("Reason for 0 %", "reason", width=_REASON_WIDTH),
    ]
    # As they come, but for the names: those without a country first.
    lines = sorted(map(_line, rows), key=lambda line: (line.cell.country != "", line.country))
    lines.append(_sum(lines, asked.business_id, currency))
    tables.show(lines, columns, key=f"tax_{currency}", alt=f"Tax by country and rate in {currency}")
    _cut_off(rows)


def _cut_off(rows: Sequence[TaxRow]) -> None:
    """Whole below the table: a line more for the longest reason would be one more for every row."""
    cut_off = dict.fromkeys(row.reason for row in rows if len(row.reason) > _REASON_LINE)
    if cut_off:
        st.caption("  \n".join(["Reasons for 0 % in full:", *map(md, cut_off)]))


def _amount(label: str, measure: Measure, asked: Asked) -> tables.Column:
    def cell(line: _Line) -> str:
        return formats.amount(line.amounts[measure], line.currency)

    return tables.button(label, cell, opens=partial(_open, measure, asked), width=104, right=True)


def _open(measure: Measure, asked: Asked, line: _Line) -> None:
    scope = replace(asked.scope, currency=line.currency)
    request_rows(Drilldown(of_cell(measure, line.cell), scope, line.amounts[measure], line.currency))


def _line(row: TaxRow) -> _Line:
    amounts = {measure: getattr(row, f"{measure.value}_minor") for measure in Measure}
    cell = Cell(row.business_id, row.country, row.rate, row.reason)
    return _Line(
        cell, row.currency, formats.country(row.country) or "None", formats.decimal(row.rate), row.reason, amounts
    )


def _sum(lines: Sequence[_Line], business_id: int, currency: str) -> _Line:
    sums = {measure: sum(line.amounts[measure] for line in lines) for measure in Measure}
    return _Line(Cell(business_id), currency, "All", "", "", sums)


def _files(asked: Asked) -> None:
    period = asked.scope.period
    facts = {
        "start_date": period and period.start,
        "end_date": period and period.end,
        "business_id": asked.business_id,
        "known_at": asked.scope.known_at,
    }
    export_menu.draw(
        [
            Export("Return", "A row for each country and rate; in Excel also its documents.", "tax-return", facts),
            Export("Documents", "A row for each document and rate.", "tax-documents", facts, endings=("csv",)),
        ]
    )


def _nothing(read: Reader, asked: Asked) -> None:
    period = asked.scope.period
    when = formats.period(period) if period else "any time"
    st.info(f"No invoice and no credit note is of {when}.", icon=":material/inbox:")
    newest = read(queries.newest_day, business_id=asked.business_id)
    if newest is None:
        return
    month = Period.month_of(newest)
    st.button(
        f"Show {formats.period(month)}",
        icon=":material/date_range:",
        key="tax_newest",
        on_click=filters.choose,
        args=(PERIOD_KEY, month),
    )
