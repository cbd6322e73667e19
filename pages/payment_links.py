"""Payment links: which invoices can be paid online, by which link, and what became of it."""

import streamlit as st

from billing_core.identity import Permission
from pages.payment_link_sections import creating, detail, listing
from pages.ui import address, collection_mode
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.PAYMENT_READ)
read = Reader(actor)

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    with st.container(horizontal=True, width="content", vertical_alignment="center"):
        st.title("Payment links", anchor=False, width="content")
        collection_mode.mark()
    creates = actor.may(Permission.LINK_WRITE) and st.button(
        "Create payment link", type="primary", icon=":material/add_link:", key="create_link"
    )
if creates:
    creating.choose()
if chosen := address.one("link", "payment link"):
    detail.draw(read, actor, chosen)
listing.draw(read, actor)
