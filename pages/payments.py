"""Payments: what came in and what it paid, customers' credit, who owes what for how long, what was paid back, what a
person has to settle, and the payment service's books beside ours."""

import streamlit as st

from billing_core.identity import Permission
from pages.payment_sections import ageing, cases, credit, detail, listing, reconciliation, recording, refunds
from pages.ui import address, collection_mode
from pages.ui.context import require
from pages.ui.figures.drilldown import open_requested
from pages.ui.inputs import parts
from pages.ui.reads import Reader

PAYMENTS, CREDIT, AGEING, REFUNDS = "Payments", "Customer credit", "Ageing", "Refunds"
SETTLE, RECONCILIATION = "To settle", "Reconciliation"

actor = require(Permission.PAYMENT_READ)
read = Reader(actor)

if payment := address.one("payment", "payment"):
    detail.draw(read, actor, payment)
    st.stop()
if actor.may(Permission.PAYMENT_WRITE) and (payer := address.one("record", "customer")):
    recording.draw(read, actor, payer)
    st.stop()

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    with st.container(horizontal=True, width="content", vertical_alignment="center"):
        st.title("Payments", anchor=False, width="content")
        collection_mode.mark()
    if actor.may(Permission.PAYMENT_WRITE) and st.button("Record payment", type="primary", icon=":material/add:"):
        st.query_params["record"] = "new"
        st.rerun()
names = [PAYMENTS, CREDIT, *([AGEING] if actor.may(Permission.INVOICE_READ) else []), REFUNDS, SETTLE]
# The gateway's books are about all customers.
names += [RECONCILIATION] if actor.may(Permission.WEBHOOK_READ) else []
tabs = parts.tabs(names, key="payments_tab")
for name, tab in tabs.items():
    if not tab.open:
        continue
    with tab:
        if name == PAYMENTS:
            listing.draw(read, actor)
        elif name == CREDIT:
            credit.draw(read, actor)
        elif name == AGEING:
            ageing.draw(read, actor)
        elif name == REFUNDS:
            refunds.draw(read)
        elif name == SETTLE:
            cases.draw(read, actor)
        else:
            reconciliation.draw(read, actor)
open_requested()
