"""What was billed of a subscription, and how it is collected: charges that were tried, and when the next one comes."""

from typing import Final

import streamlit as st

from billing_core.invoices.models import InvoiceState
from billing_core.subscriptions.models import InvoiceKind
from billing_core.subscriptions.overview import charging, history
from billing_core.subscriptions.overview.history import BilledRow, Shown
from pages.sent_invoice_sections import charges
from pages.ui import formats, opened, tables
from pages.ui.reads import Reader

PAGE_KEY = "subscription_invoices_page"
_KINDS: Final = {
    InvoiceKind.PERIOD: "Period",
    InvoiceKind.CHANGE: "Change",
    InvoiceKind.FINAL: "At its end",
    InvoiceKind.OTHER: "By hand",
}


def draw(read: Reader, shown: Shown) -> None:
    zone = read.company.time_zone
    total = read(history.billed_count, shown.row.id)
    if total == 0:
        st.info("Nothing has been billed of it yet.", icon=":material/hourglass_empty:")
        return
    skipped = tables.pager(total, key=PAGE_KEY, noun="invoice", of=shown.row.id)
    tables.show(
        read(history.billed, shown.row.id, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.button(
                "Invoice", lambda row: f":material/open_in_new: {row.number or 'Draft'}", opens=_open, width=140
            ),
            tables.money("Total", "total_minor", width=90),
            tables.money("Amount due", "due_minor", width=95),
            tables.currency_of(),
            tables.computed("Status", lambda row: formats.words(row.state.value), width=90),
            tables.day("Issued", "issued_on"),
            tables.computed("For", lambda row: _KINDS[row.kind], width=90),
            tables.computed("Collecting", lambda row: _collecting(row, zone), width="large"),
        ],
        key=f"subscription_invoices_{skipped}",
        alt="Invoices of this subscription, the newest first",
    )
    _charges(read, shown, zone)


def _charges(read: Reader, shown: Shown, zone: str) -> None:
    tried = read(charging.of_subscription, shown.row.id, limit=charges.MOST)
    st.subheader("Charges", anchor=False)
    if not tried:
        st.caption("No card was charged for it.")
        return
    invoice = tables.computed("Invoice", lambda row: row.invoice_number or "Draft", width=110)
    alt = "Charges to cards on file, the newest first"
    charges.table(tried, zone, key="subscription_charges", alt=alt, between=[invoice])
    if len(tried) == charges.MOST:
        st.caption(f"The newest {charges.MOST} are shown; each invoice has all of its own.")


def _collecting(row: BilledRow, zone: str) -> str:
    """Where it stands with getting the money."""
    return charges.following(row, zone) if row.state is InvoiceState.OPEN and row.due_minor else ""


def _open(row: BilledRow) -> None:
    opened.go_to_invoice(row.invoice_id)
