"""Billing reports: generate them, browse them, read one."""

import streamlit as st

from billing_core.identity import Permission
from pages.bill_run_sections import generate
from pages.report_sections import browse, detail
from pages.ui import address
from pages.ui.context import require
from pages.ui.inputs import parts
from pages.ui.reads import Reader

actor = require(Permission.REPORT_READ)
read = Reader(actor)

if report_id := address.one("report", "report"):
    detail.draw(read, actor, report_id)
    st.stop()

st.title("Reports", anchor=False)
browsing, generating = parts.tabs(["Browse", "Generate"], key="tab").values()
if browsing.open:
    with browsing:
        browse.draw(read, actor)
if generating.open:
    with generating:
        generate.draw(read, actor)
