"""One invoice: a draft is written and sent, a sent one is followed until it is paid."""

import streamlit as st

from billing_core.identity import Permission
from billing_core.invoices import queries
from billing_core.invoices.models import InvoiceState
from pages.draft_sections import draft_state, drafting, new
from pages.sent_invoice_sections import sent_invoice
from pages.ui import address, context, opened
from pages.ui.reads import Reader

actor = context.require(Permission.INVOICE_READ)
read = Reader(actor)
if st.button("All invoices", icon=":material/arrow_back:", type="tertiary"):
    opened.go_to("invoices.py")
if chosen := address.one("invoice", "invoice"):
    invoice = read(queries.one, chosen)
    if invoice.state is InvoiceState.DRAFT and actor.may(Permission.INVOICE_WRITE):
        drafting.draw(read, actor, draft_state.of_invoice(invoice, read.plain(queries.content, invoice)), invoice)
    else:
        sent_invoice.draw(read, actor, invoice)
elif not actor.may(Permission.INVOICE_WRITE):
    st.info("Your role can read invoices. An administrator creates them.", icon=":material/info:")
elif report := address.one("report", "report"):
    new.from_report(read, actor, report)
elif customer := address.one("customer", "customer"):
    start = new.blank(read, customer, address.one("business", "business"))
    drafting.draw(read, actor, draft_state.blank(start), None)
else:
    new.choose_customer(read)
