"""Making drafts and throwing them away."""

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.invoices import queries, service
from billing_core.invoices.rows import InvoiceView
from pages.invoice_document_sections.changes import forget_open_draft
from pages.ui import context, formats, messages, opened
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader
from pages.ui.text import md


def duplicate(actor: Actor, read: Reader, invoice_id: int) -> None:
    """A new draft that says the same, opened at once."""
    try:
        with runtime.sessions().begin() as session:
            today = read.day_of(queries.one(session, actor, invoice_id).business_id)
            copy_id = service.duplicate(session, actor, invoice_id, now=utc_now(), today=today).id
            made = queries.events(session, copy_id)[0].data or {}
    except BillingError as error:
        context.refused(error)
        return
    if left_out := made.get("left_out"):
        because = "are billed already"
        if newer := made.get("newer_reports"):
            reports = "the newer report" if len(newer) == 1 else "the newer reports"
            because += f", or bill a report that was replaced (invoice {reports} {', '.join(map(str, newer))})"
        messages.say(
            f"Left out, because they {because}: {formats.counted(left_out, 'line')} of orders or usage",
            icon=":material/block:",
        )
    open_draft(copy_id, "This is a copy, dated today")


def open_draft(invoice_id: int, message: str) -> None:
    """Show this draft in the run that follows."""
    forget_open_draft()
    messages.say(message)
    st.query_params.from_dict({"invoice": str(invoice_id)})
    st.rerun()


@st.dialog("Discard the draft", icon=":material/delete:")
def discard(invoice: InvoiceView) -> None:
    st.markdown(
        f"The draft for {md(invoice.customer_name)} disappears from every list. It never had a number, so none is "
        "missing; its history stays in the audit log. **This cannot be undone.**"
    )
    if st.button("Discard draft", type="primary", icon=":material/delete:", key="do_discard"):
        try:
            with runtime.sessions().begin() as session:
                service.discard(session, signed_in(), invoice.id, now=utc_now())
        except BillingError as error:
            context.refused(error)
            return
        forget_open_draft()
        messages.say("The draft is discarded")
        opened.go_to("invoices.py")
