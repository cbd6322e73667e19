"""The periods of a subscription: those to come with what they will bill, and those that have begun."""

from collections.abc import Sequence

import streamlit as st

from billing_core.subscriptions.models import SubscriptionState
from billing_core.subscriptions.overview import forecast, history
from billing_core.subscriptions.overview.forecast import Bill
from billing_core.subscriptions.overview.history import PeriodRow, Shown
from pages.subscription_sections import wording
from pages.ui import formats, opened, tables
from pages.ui.reads import Reader

PAGE_KEY = "subscription_periods_page"
COMING = 3


def draw(read: Reader, shown: Shown) -> None:
    if shown.row.state is not SubscriptionState.CANCELED:
        st.subheader("To come", anchor=False)
        coming = read(forecast.bills, shown.row.id, count=COMING)
        if coming:
            bills(coming, shown.row.currency, key="subscription_coming")
            st.caption("As it stands today: what changes until then changes these bills.")
        else:
            st.caption("Nothing more is billed: it ends before.")
    st.subheader("So far", anchor=False)
    total = read(history.period_count, shown.row.id)
    if total == 0:
        st.caption("No period has begun yet: it is in its trial.")
        return
    skipped = tables.pager(total, key=PAGE_KEY, noun="period", of=shown.row.id)
    tables.show(
        read(history.periods, shown.row.id, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.computed("Period", lambda row: formats.period(row.days), width=190),
            tables.money("Total", "total_minor", width=90),
            tables.money("Given back", "given_back_minor", width=95),
            tables.money("Amount due", "due_minor", width=95),
            tables.button("Invoice", _invoice, opens=_open, width=140),
            tables.computed("Status", _status, width=110),
            tables.currency_of(),
            tables.text("Plan", "plan_name"),
        ],
        key=f"subscription_periods_{skipped}",
        alt="Periods that have begun, the present one first",
    )


def bills(coming: Sequence[Bill], currency: str, *, key: str) -> None:
    """What the beginnings of periods bill."""
    tables.show(
        coming,
        [
            tables.day("On", "issued_on"),
            tables.computed("For", lambda bill: formats.period(bill.days) if bill.days else "Its end", width=190),
            tables.computed(f"Total, {currency}", lambda bill: wording.total(bill, currency), right=True, width=120),
            tables.computed("Tax", lambda bill: formats.amount(bill.tax_minor, currency), right=True, width=80),
            tables.computed("What", wording.lines, width="large"),
        ],
        key=key,
        alt="What the next periods will bill",
    )


def _invoice(row: PeriodRow) -> str | None:
    """The last one; where there are more, the next tab has them all."""
    if row.invoice_id is None:
        return None
    others = f" and {row.invoices - 1} more" if row.invoices > 1 else ""
    return f":material/open_in_new: {row.invoice_number or 'Draft'}{others}"


def _status(row: PeriodRow) -> str:
    if row.paused:
        return "Paused"
    return "Nothing to bill" if row.invoice_state is None else formats.words(row.invoice_state.value)


def _open(row: PeriodRow) -> None:
    if row.invoice_id is not None:
        opened.go_to_invoice(row.invoice_id)
