"""Cancelling an invoice, or a draft that has a number."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.invoices import after_sending, from_reports, queries
from billing_core.text import LONGEST_REASON
from pages.invoice_document_sections.changes import attempt
from pages.ui import formats
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader
from pages.ui.text import md


@st.dialog("Cancel invoice", icon=":material/block:")
def dialog(invoice_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    invoice = read(queries.one, invoice_id)
    if invoice.paid_minor:
        paid = formats.money(invoice.paid_minor, invoice.currency)
        st.warning(
            f"{md(paid)} was paid for this invoice, so it cannot be cancelled. Reverse the payment first, or "
            "issue a credit note for what is due.",
            icon=":material/block:",
        )
        return
    st.markdown(
        f"Nothing is due on {md(invoice.number)} any more. It keeps its number and its document, marked as "
        "cancelled, and its postings are reversed. **This cannot be undone.**"
    )
    if read.plain(from_reports.billed_reports, invoice_id):
        st.caption(
            "Its orders can be invoiced again then. To correct it, cancel it first and duplicate it afterwards: the "
            "copy bills its orders, so that nothing else does."
        )
    reason = st.text_input("Reason", key=f"cancel_reason_{invoice_id}", max_chars=LONGEST_REASON)
    if st.button("Cancel invoice", type="primary", icon=":material/block:", key="do_cancel"):
        with attempt("The invoice is cancelled") as session:
            after_sending.cancel(
                session, actor, invoice_id, now=utc_now(), today=read.day_of(invoice.business_id), reason=reason
            )
