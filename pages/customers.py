"""Customers: what each was billed, and one customer's page."""

import streamlit as st

from billing_core.identity import Permission
from pages.customer_sections import detail, listing
from pages.ui import opened
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.CUSTOMER_READ)
read = Reader(actor)

if customer_id := opened.identity("customer", "customer"):
    detail.draw(read, actor, customer_id)
else:
    st.title("Customers", anchor=False)
    listing.draw(read, actor)
