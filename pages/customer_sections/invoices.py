"""What one customer was invoiced and credited."""

import streamlit as st

from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from billing_core.invoices import credit_notes, queries
from billing_core.invoices.queries import InvoiceFilter
from pages.invoice_sections.columns import columns, open_invoice, withdrawn
from pages.invoice_sections.filtering import TABS
from pages.ui import formats, mail_words, opened, tables
from pages.ui.inputs import filters
from pages.ui.reads import Reader

_PAGE_KEY, _NOTES_KEY = "customer_invoices_page", "customer_notes_page"


def draw(read: Reader, actor: Actor, customer: Customer) -> None:
    _invoices(read, actor, customer)
    _credit_notes(read, customer)


def _invoices(read: Reader, actor: Actor, customer: Customer) -> None:
    today = read.days
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        tab = st.segmented_control(
            "Status",
            list(TABS),
            default="all",
            format_func=formats.words,
            key="customer_invoices_tab",
            required=True,
            on_change=filters.first_page,
            args=(_PAGE_KEY,),
            label_visibility="collapsed",
        )
        if actor.may(Permission.INVOICE_WRITE) and st.button(
            "New invoice", icon=":material/add:", key="new_invoice_for_customer"
        ):
            st.switch_page("invoice_editor.py", query_params={"customer": str(customer.id)})
    invoice_filter = InvoiceFilter(customer_id=customer.id, status=TABS[tab or "all"])
    total = read(queries.count, invoice_filter, today=today)
    if total == 0:
        st.info(
            "This customer has no invoices yet." if tab == "all" else "This customer has no such invoice.",
            icon=":material/info:",
        )
        return
    skipped = tables.pager(total, key=_PAGE_KEY, noun="invoice", of=customer.id)
    rows = read(queries.page, invoice_filter, today=today, limit=tables.PAGE_SIZE, offset=skipped)
    tables.show(
        rows,
        columns(today, with_customer=False, mails=mail_words.of_invoices(read.actor, [row.id for row in rows])),
        key=f"customer_invoices_{tab}_{skipped}",
        alt="Invoices of this customer",
        opens=open_invoice,
    )
    st.caption("Click an invoice to open it.")


def _credit_notes(read: Reader, customer: Customer) -> None:
    total = read(credit_notes.count_of_customer, customer.id)
    if total == 0:
        return
    st.subheader("Credit notes", anchor=False)
    skipped = tables.pager(total, key=_NOTES_KEY, noun="credit note", of=customer.id)
    notes = read(credit_notes.of_customer, customer.id, limit=tables.PAGE_SIZE, offset=skipped)
    tables.show(
        notes,
        [
            tables.text("Number", "number"),
            tables.day("Issued", "issued_on"),
            tables.money("Total", "total_minor"),
            tables.money("Paid back", "refund_minor", help="The rest lowered what was due on the invoice"),
            tables.currency_of(),
            tables.text("Reason", "reason", width="medium"),
            *withdrawn(notes),
            tables.link("PDF", lambda note: f"/downloads/credit-notes/{note.id}.pdf", ":material/download:"),
        ],
        key=f"customer_notes_{skipped}",
        alt="Credit notes of this customer",
        opens=lambda note: opened.go_to_invoice(note.invoice_id),
    )
    st.caption("Click a credit note to open its invoice.")
