"""What was billed of a subscription, and how it is collected: charges that were tried, and when the next one comes."""

from typing import Final

import streamlit as st

from billing_core.invoices.models import InvoiceState
from billing_core.online_payments.models import AttemptState
from billing_core.subscriptions.models import InvoiceKind
from billing_core.subscriptions.overview import history
from billing_core.subscriptions.overview.history import BilledRow, ChargeRow, Shown
from pages.subscription_sections import wording
from pages.ui import formats, opened, tables
from pages.ui.colors import Color
from pages.ui.reads import Reader

PAGE_KEY = "subscription_invoices_page"
_MOST_CHARGES = 50
_KINDS: Final = {
    InvoiceKind.PERIOD: "Period",
    InvoiceKind.CHANGE: "Change",
    InvoiceKind.FINAL: "At its end",
    InvoiceKind.OTHER: "By hand",
}
_ATTEMPTS: Final[dict[AttemptState, tuple[str, Color]]] = {
    AttemptState.STARTED: ("Not answered yet", "orange"),
    AttemptState.SUCCEEDED: ("Paid", "gray"),
    AttemptState.DECLINED: ("Declined", "red"),
    AttemptState.AUTHENTICATION: ("Asked the customer", "orange"),
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
    tried = read(history.charges, shown.row.id, limit=_MOST_CHARGES)
    st.subheader("Charges", anchor=False)
    if not tried:
        st.caption("No card was charged for it.")
        return
    tables.show(
        tried,
        [
            tables.instant("When", "started_at", zone),
            tables.badge("Outcome", lambda row: _ATTEMPTS[row.state][0], dict(_ATTEMPTS.values())),
            tables.money("Amount", "amount_minor", width=110),
            tables.currency_of(),
            tables.computed("Card", lambda row: wording.card(row.card_brand, row.card_last4), width=120),
            tables.computed("Invoice", lambda row: row.invoice_number or "Draft", width=110),
            tables.text("Why not", "failure", width="large"),
        ],
        key="subscription_charges",
        alt="Charges to cards on file, the newest first",
    )
    if len(tried) == _MOST_CHARGES:
        st.caption(f"The newest {_MOST_CHARGES} are shown; each invoice has all of its own.")


def _collecting(row: BilledRow, zone: str) -> str:
    """Where it stands with getting the money."""
    if row.state is not InvoiceState.OPEN or not row.due_minor:
        return ""
    failed = f"{formats.counted(row.failures, 'charge')} failed" if row.failures else ""
    if row.gives_up_at is not None:
        return f"{failed}: the card is refused for good, given up on {formats.instant(row.gives_up_at, zone)}"
    if row.collect_at is not None:
        return f"{failed + ', next' if failed else 'Next charge'} on {formats.instant(row.collect_at, zone)}"
    return f"{failed}, none follows" if failed else "Mailed with a link"


def _open(row: BilledRow | ChargeRow) -> None:
    opened.go_to_invoice(row.invoice_id)
