"""Plans: what usage includes and costs, in versions, and which organization is on which."""

import streamlit as st

from billing_core.identity import Permission
from pages.plan_sections import listing, plan, terms
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.PLAN_READ)
read = Reader(actor)

if code := st.query_params.get("plan"):
    plan.draw(read, actor, code)
else:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Plans", anchor=False, width="content")
        if actor.may(Permission.PLAN_WRITE) and st.button(
            "New plan", type="primary", icon=":material/add:", key="new_plan"
        ):
            terms.new_plan()
    listing.draw(read, actor)
