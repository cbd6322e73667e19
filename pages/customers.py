"""Customers: what each was billed, and one customer's page."""

import streamlit as st

from billing_core.identity import Permission
from pages.ui.context import require

actor = require(Permission.CUSTOMER_READ)
st.title("Customers", anchor=False)
