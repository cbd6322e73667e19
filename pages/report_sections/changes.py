"""What a report's versions have between them."""

import streamlit as st

from billing_core.reports import queries
from billing_core.reports.queries import Report
from pages.ui.reads import Reader


def draw(read: Reader, report: Report) -> None:
    versions = read.plain(queries.versions, report)
    st.write(len(versions))
