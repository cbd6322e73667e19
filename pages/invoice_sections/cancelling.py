"""Cancelling several invoices; drafts that never had a number are thrown away."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy.orm import Session

from billing_core.dates import utc_now
from billing_core.invoices import after_sending, service
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.rows import InvoiceRow
from billing_core.text import LONGEST_REASON
from pages.invoice_sections import one_by_one
from pages.invoice_sections.columns import number
from pages.invoice_sections.one_by_one import Refused
from pages.invoice_sections.sums import by_currency
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader


@st.dialog("Cancel invoices", width="large", icon=":material/block:", on_dismiss="rerun")
def dialog(rows: Sequence[InvoiceRow]) -> None:
    """What cancelling does to each, and what is left out and why; then cancel."""
    actor = signed_in()
    read = Reader(actor)
    reasons = {row.id: _reason(row) for row in rows}
    going = [row for row in rows if not reasons[row.id]]
    one_by_one.left_out([Refused(row, reasons[row.id]) for row in rows if reasons[row.id]])
    if not going:
        st.info("None of these invoices can be cancelled.", icon=":material/info:")
        return
    amounts = " · ".join(formats.money(one.total_minor, one.currency) for one in by_currency(going))
    st.warning(
        f"{formats.counted(len(going), 'invoice')}, {amounts} in total: nothing is due any more. Those with a "
        "number keep it and their document, and what was left is reversed in the ledger; drafts without one are "
        "discarded. **This cannot be undone.** Customers get no mail about it.",
        icon=":material/warning:",
    )
    tables.show(
        going,
        [
            tables.computed("Invoice", number),
            tables.text("Customer", "customer_name"),
            tables.money("Total", "total_minor"),
            tables.currency_of(),
            tables.computed("What happens", _what_happens, width="medium"),
        ],
        key="cancelling",
        alt="The invoices that would be cancelled",
        height="content" if len(going) <= 6 else 240,
    )
    reason = st.text_input(
        "Why", max_chars=LONGEST_REASON, key="cancelling_reason", placeholder="Kept in the history of each"
    )
    if not st.button(
        f"Cancel {formats.counted(len(going), 'invoice')}", type="primary", icon=":material/block:", key="cancel"
    ):
        return
    if not reason.strip():
        st.error("Say why, so that whoever looks at these invoices later understands it.", icon=":material/error:")
        return

    def cancel(session: Session, row: InvoiceRow) -> None:
        if _is_discarded(row):
            service.discard(session, actor, row.id, now=utc_now())
        else:
            after_sending.cancel(
                session, actor, row.id, now=utc_now(), today=read.day_of(row.business_id), reason=reason
            )

    refused = one_by_one.carry_out(going, cancel)
    one_by_one.finish(f"{formats.counted(len(going) - len(refused), 'invoice')} cancelled.", refused)


def _is_discarded(row: InvoiceRow) -> bool:
    return row.state is InvoiceState.DRAFT and row.number is None


def _what_happens(row: InvoiceRow) -> str:
    if _is_discarded(row):
        return "Discarded"
    return "Cancelled, keeps its number" if row.state is InvoiceState.DRAFT else "Cancelled, and reversed in the ledger"


def _reason(row: InvoiceRow) -> str:
    match row.state:
        case InvoiceState.PAID:
            return "is paid: refund it instead"
        case InvoiceState.CANCELLED:
            return "is cancelled already"
        case _:
            return "has received money: undo or refund that payment first" if row.paid_minor else ""
