"""The reports that an invoice bills."""

import streamlit as st

from billing_core.invoices import from_reports
from billing_core.invoices.rows import InvoiceView
from pages.ui import formats
from pages.ui.reads import Reader
from pages.ui.text import md


def draw(read: Reader, invoice: InvoiceView) -> None:
    reports = read.plain(from_reports.billed_reports, invoice.id)
    for report in reports:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f":material/receipt_long: Bills report #{report.id}, {md(formats.period(report.period))}, "
                f"{md(formats.money(report.total_minor, report.currency))}",
                width="content",
            )
            if st.button("Open the report", key=f"report_{report.id}", type="tertiary", icon=":material/open_in_new:"):
                st.switch_page("reports.py", query_params={"report": str(report.id)})
