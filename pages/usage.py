"""Usage: what organizations used in a month beside what their plans include, one organization's own page, the
invoices of a month, and alerts.
"""

import streamlit as st

from billing_core.identity import Permission
from pages.ui import opened
from pages.ui.context import require
from pages.ui.figures.drilldown import open_requested
from pages.ui.inputs import parts
from pages.ui.reads import Reader
from pages.usage_sections import alerts, late, listing, making, organization

ORGANIZATIONS, INVOICES, LATE, ALERTS = "Organizations", "Invoices", "Late", "Alerts"

actor = require(Permission.USAGE_READ)
read = Reader(actor)

if customer_id := opened.identity("organization", "organization"):
    organization.draw(read, actor, customer_id)
else:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Usage", anchor=False, width="content")
        if actor.may(Permission.IMPORT) and st.button("Import events", icon=":material/upload_file:"):
            opened.go_to("imports.py")
    names = [ORGANIZATIONS, INVOICES, LATE, ALERTS]
    tabs = parts.tabs(names, key="usage_list")
    for name, tab in tabs.items():
        if not tab.open:
            continue
        with tab:
            if name == ORGANIZATIONS:
                listing.draw(read, actor)
            elif name == INVOICES:
                making.draw(read, actor)
            elif name == LATE:
                late.draw(read, actor)
            else:
                alerts.draw(read, actor)
open_requested()
