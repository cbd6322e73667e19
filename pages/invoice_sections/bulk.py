"""What can be done with several invoices at once: those that are ticked, or all that match."""

from dataclasses import asdict

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import InvoiceRow
from pages.invoice_sections import cancelling, mailing, paying
from pages.ui import downloads, formats
from pages.ui.inputs import bulk_selection
from pages.ui.reads import Reader

_NEEDED = (
    Permission.INVOICE_SEND,
    Permission.REMINDER_WRITE,
    Permission.PAYMENT_WRITE,
    Permission.INVOICE_WRITE,
    Permission.EXPORT,
)


def possible(actor: Actor) -> bool:
    """May they do anything with several invoices?"""
    return any(actor.may(one) for one in _NEEDED)


def draw(read: Reader, actor: Actor, invoice_filter: InvoiceFilter, ticked: list[InvoiceRow], total: int) -> None:
    if not possible(actor):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        everything = bulk_selection.everything(total, key="bulk_everything")
        if everything:
            count = total
        elif ticked:
            count = len(ticked)
        else:
            st.caption("Tick invoices to act on several at once.", width="content")
            return
        st.markdown(f"**{formats.counted(count, 'invoice')}**", width="content")
        rows = (
            tuple(read(queries.page, invoice_filter, today=read.days, limit=bulk_selection.MOST))
            if everything
            else tuple(ticked)
        )
        ids = tuple(row.id for row in rows)
        if actor.may(Permission.INVOICE_SEND) and st.button("Send", icon=":material/send:", key="bulk_send"):
            mailing.send(ids)
        if actor.may(Permission.REMINDER_WRITE) and st.button(
            "Remind", icon=":material/notifications:", key="bulk_remind"
        ):
            mailing.remind(ids, utc_now())
        if actor.may(Permission.PAYMENT_WRITE) and st.button("Mark paid", icon=":material/paid:", key="bulk_pay"):
            paying.dialog(rows)
        if actor.may(Permission.INVOICE_WRITE) and st.button("Cancel", icon=":material/block:", key="bulk_cancel"):
            cancelling.dialog(rows)
        if actor.may(Permission.EXPORT):
            chosen = asdict(invoice_filter) if everything else {"ids": ",".join(map(str, ids))}
            st.link_button("ZIP of PDFs", downloads.address("invoices.zip", **chosen), icon=":material/folder_zip:")
