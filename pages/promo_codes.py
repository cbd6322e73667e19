"""Promo codes: what each takes off a plan's price, who has redeemed it; creating one and ending it early."""

import streamlit as st

from billing_core.identity import Permission
from pages.promo_code_sections import creating, listing, one_code
from pages.ui import address
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.PROMO_READ)
read = Reader(actor)

if code := address.one("code", "promo code"):
    one_code.draw(read, actor, code)
else:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Promo codes", anchor=False, width="content")
        if actor.may(Permission.PROMO_WRITE) and st.button(
            "New promo code", type="primary", icon=":material/add:", key="new_promo_code"
        ):
            creating.dialog()
    listing.draw(read, actor)
