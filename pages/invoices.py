"""Invoices: the list with its filters, and what can be done with several at once."""

import streamlit as st

from billing_core.identity import Permission
from pages.invoice_sections import listing, one_by_one, recalling
from pages.ui import address, opened
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.INVOICE_READ)
read = Reader(actor)

if invoice_id := address.one("invoice", "invoice"):
    st.switch_page("invoice_editor.py", query_params={"invoice": invoice_id})

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.title("Invoices", anchor=False, width="content")
    if actor.may(Permission.INVOICE_WRITE) and st.button("New invoice", type="primary", icon=":material/add:"):
        opened.go_to("invoice_editor.py")
recalling.draw()
one_by_one.result()
listing.draw(read, actor)
