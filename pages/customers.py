"""Customers: what each was billed, and one customer's page."""

import streamlit as st

from billing_core.identity import Permission
from pages.customer_sections import detail, listing
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.CUSTOMER_READ)
read = Reader(actor)

wanted = st.query_params.get("customer", "")
if wanted.isascii() and wanted.isdigit() and len(wanted) <= 9:
    detail.draw(read, actor, int(wanted))
else:
    st.title("Customers", anchor=False)
    listing.draw(read, actor)
