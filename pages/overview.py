"""Overview: what was billed, and what needs a hand."""

import streamlit as st

from billing_core.identity import Permission
from pages.ui.context import require

actor = require(Permission.REPORT_READ)
st.title("Overview", anchor=False)
