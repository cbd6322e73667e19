"""Billing reports: generate them, browse them, read one."""

import streamlit as st

from billing_core.identity import Permission
from pages.report_sections import browse, detail
from pages.ui.context import require
from pages.ui.reads import Reader

actor = require(Permission.REPORT_READ)
read = Reader(actor)

if wanted := st.query_params.get("report"):
    detail.draw(read, actor, wanted)
    st.stop()

st.title("Reports", anchor=False)
browse.draw(read, actor)
