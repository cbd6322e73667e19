"""An organization's billed periods with their invoices, and the lines of them."""

import streamlit as st

from billing_core.usage.billed import bills, lines
from billing_core.usage.billed.bills import Bill
from billing_core.usage.billed.lines import Line
from pages.ui import address, formats, opened, tables
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.usage_sections import billed_line

_ASKED, _OPENED = "usage_billed_line", "usage_period"


def draw(read: Reader, customer_id: int) -> None:
    rows = read(bills.of_customer, customer_id)
    if not rows:
        st.info("No usage of this organization has been billed yet.", icon=":material/request_quote:")
        return
    tables.show(
        rows,
        [
            tables.button("Invoice", _invoice, opens=_open, width=150),
            tables.button("Lines", lambda _: ":material/list: lines", opens=_choose, width=90),
            tables.computed("Period", lambda row: formats.days(row.first_day, row.last_day)),
            tables.computed(
                "Total", _total, right=True, help="Of the invoice, with tax and whatever else stands on it"
            ),
            tables.computed("Currency", lambda row: row.currency or "", width=80),
            tables.computed("State", lambda row: formats.words(row.state.value) if row.state else "Comes to nothing"),
            tables.instant("Billed", "billed_at", read.company.time_zone),
            tables.text("By", "billed_by"),
        ],
        key="usage_bills",
        alt="Billed periods, the latest first",
    )
    if period_id := opened.identity(_OPENED, "billed period", digits=opened.LONG_ID_DIGITS):
        bill = next((row for row in rows if row.period_id == period_id), None)
        _lines(read, bill or address.missing(_OPENED, "billed period"))


def _lines(read: Reader, bill: Bill) -> None:
    opened.heading(f"Lines of {md(formats.days(bill.first_day, bill.last_day))}", _OPENED)
    billed = read(lines.of_periods, [bill.period_id])[bill.period_id]
    tables.show(
        billed,
        [
            tables.button("Explain", lambda _: "Explain", opens=_ask, width=84),
            tables.computed("Line", lambda line: line.words("en"), width="large"),
            tables.quantity("Used", "quantity"),
            tables.quantity("Included", "included"),
            tables.money("Amount", "amount"),
            tables.computed("Currency", lambda line: line.amount.currency, width=80),
        ],
        key="usage_billed_lines",
        alt="Lines of the billed period",
    )
    asked: Line | None = st.session_state.pop(_ASKED, None)
    if asked is not None:
        billed_line.draw(asked)


def _invoice(row: Bill) -> str | None:
    if row.invoice_id is None:
        return None
    return f":material/open_in_new: {row.number or f'Draft {row.invoice_id}'}"


def _total(row: Bill) -> str:
    if row.total_minor is None or row.currency is None:
        return formats.NOTHING
    return formats.amount(row.total_minor, row.currency)


def _open(row: Bill) -> None:
    if row.invoice_id is not None:
        opened.go_to_invoice(row.invoice_id)


def _choose(row: Bill) -> None:
    st.query_params[_OPENED] = str(row.period_id)


def _ask(line: Line) -> None:
    st.session_state[_ASKED] = line
