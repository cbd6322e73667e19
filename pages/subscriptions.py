"""Subscriptions: who is on which plan, what that brings, and one subscription with all that was billed of it."""

import streamlit as st

from billing_core.identity import Permission
from pages.subscription_sections import creating, detail, listing
from pages.ui import collection_mode, opened
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.SUBSCRIPTION_READ)
read = Reader(actor)

if subscription_id := opened.identity("subscription", "subscription"):
    detail.draw(read, actor, subscription_id)
else:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            st.title("Subscriptions", anchor=False, width="content")
            collection_mode.mark()
        may_write = actor.may(Permission.SUBSCRIPTION_WRITE)
        starts = may_write and st.button(
            "New subscription", type="primary", icon=":material/add:", key="new_subscription"
        )
    # From a customer's page.
    subscriber = opened.identity("subscriber", "customer")
    opened.close("subscriber")
    if starts or (may_write and subscriber):
        creating.dialog(subscriber)
    listing.draw(read, actor)
