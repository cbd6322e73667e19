"""Rate cards: what each customer pays for each service, from when on, and what that makes of one order."""

import streamlit as st

from billing_core.identity import Permission
from pages.rate_card_sections import card, picker, rate, services, simulation
from pages.ui import address
from pages.ui.context import require
from pages.ui.inputs import parts
from pages.ui.reads import Reader

actor = require(Permission.RATE_READ)
read = Reader(actor)

CARD, SIMULATOR, SERVICES = "Rate card", "Try an order", "Services"

st.title("Rate cards", anchor=False)
customer_id = picker.draw(read)
tab_names = [CARD, SIMULATOR, SERVICES]
tabs = parts.tabs(tab_names, key="rate_tab")
for name, tab in tabs.items():
    if not tab.open:
        continue
    with tab:
        if name == SERVICES:
            services.draw(read, actor)
        elif customer_id is None:
            st.info("Choose a customer to see its prices.", icon=":material/price_change:")
        elif name == SIMULATOR:
            simulation.draw(read, actor, customer_id)
        elif chosen := address.one("rate", "rate"):
            rate.draw(read, actor, customer_id, chosen)
        else:
            card.draw(read, actor, customer_id)
