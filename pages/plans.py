"""Plans and meters: what is counted, what usage includes and costs, and which organization is on which plan."""

import streamlit as st

from billing_core.identity import Permission
from pages.plan_sections import listing, meters, plan, terms
from pages.ui import address
from pages.ui.context import require
from pages.ui.inputs import parts
from pages.ui.reads import Reader

PLANS, METERS = "Plans", "Meters"

actor = require(Permission.PLAN_READ)
read = Reader(actor)

if code := address.one("plan", "plan"):
    plan.draw(read, actor, code)
else:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Plans and meters", anchor=False, width="content")
        if actor.may(Permission.PLAN_WRITE) and st.button(
            "New plan", type="primary", icon=":material/add:", key="new_plan"
        ):
            terms.new_plan()
    tabs = parts.tabs([PLANS, METERS], key="plans_tab")
    for name, tab in tabs.items():
        if not tab.open:
            continue
        with tab:
            if name == PLANS:
                listing.draw(read, actor)
            else:
                meters.draw(read, actor)
