"""Rate cards: what each customer pays for each service, from when on, and what that makes of one order."""

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.identity import Permission
from pages.rate_card_sections import card, rate, services, simulation
from pages.ui import filters
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.RATE_READ)
read = Reader(actor)

CARD, SIMULATOR, SERVICES = "Rate card", "Try an order", "Services"
CHOSEN = "rate_card_customer"


def choose() -> None:
    """The address names the customer by its id, as links from other pages do."""
    rate.close()
    chosen = st.session_state[CHOSEN]
    if chosen is None:
        st.query_params.pop("customer", None)
    else:
        st.query_params["customer"] = str(chosen)


st.title("Rate cards", anchor=False)
names = filters.distinct([(identity, name) for identity, name, _ in read(customers.names)])
wanted = st.query_params.get("customer", "")
st.session_state[CHOSEN] = next((identity for identity in names if str(identity) == wanted), None)
customer_id = st.selectbox(
    "Customer",
    list(names),
    index=None,
    key=CHOSEN,
    format_func=lambda identity: names.get(identity, str(identity)),
    placeholder="Type to search a customer" if names else "There are no customers yet: import them first",
    on_change=choose,
    width=420,
)
tab_names = [CARD, SIMULATOR, SERVICES]
tabs = dict(zip(tab_names, st.tabs(tab_names, key="rate_tab", bind="query-params"), strict=True))
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
        elif st.query_params.get("rate"):
            rate.draw(read, actor, customer_id, st.query_params["rate"])
        else:
            card.draw(read, actor, customer_id, names)
