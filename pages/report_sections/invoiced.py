"""Where a report was invoiced, and the way to invoice it."""

from collections.abc import Sequence

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.invoices import from_reports
from billing_core.invoices.from_reports import Earlier
from billing_core.reports.queries import Report
from pages.ui import opened, tables
from pages.ui.reads import Reader
from pages.ui.text import md


def on_report(read: Reader, actor: Actor, report: Report) -> None:
    """Which invoices bill it, or another version of it, and a button that makes one."""
    invoices = _invoices_of(read, actor, [report])
    for one in invoices:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            version = "" if one.billed_version == report.version else f", as version {one.billed_version}"
            # Not st.badge, which puts backslashes before the brackets of its text.
            st.markdown(f":green-badge[:material/request_quote: Invoiced on {md(name(one))}{version}]", width="content")
            key = f"open_invoice_{one.invoice_id}"
            if st.button("Open the invoice", key=key, type="tertiary", icon=":material/open_in_new:"):
                opened.go_to_invoice(one.invoice_id)


def button(read: Reader, actor: Actor, report: Report) -> None:
    """Only where there is something to invoice, and it counts."""
    if not (actor.may(Permission.INVOICE_WRITE) and report.current and report.total_minor):
        return
    again = bool(_invoices_of(read, actor, [report]))
    if st.button(
        "Invoice it again" if again else "Invoice this report",
        key="invoice_report",
        type="secondary" if again else "primary",
        icon=":material/request_quote:",
    ):
        st.switch_page("invoice_editor.py", query_params={"report": str(report.id)})


def column(read: Reader, actor: Actor, reports: Sequence[Report]) -> list[tables.Column]:
    """One column of the list; none for who may not see invoices. A click on it opens the invoice."""
    if not actor.may(Permission.INVOICE_READ):
        return []
    by_report: dict[int, list[Earlier]] = {}
    for one in _invoices_of(read, actor, reports):
        by_report.setdefault(one.report_id, []).append(one)

    def opens(report: Report) -> None:
        if report.id in by_report:
            opened.go_to_invoice(by_report[report.id][-1].invoice_id)
        else:
            st.query_params["report"] = str(report.id)

    names = {report_id: ", ".join(map(name, invoices)) for report_id, invoices in by_report.items()}
    return [tables.computed("Invoice", lambda report: names.get(report.id, "")).opening(opens)]


def name(one: Earlier) -> str:
    return one.number or f"draft {one.invoice_id}"


def _invoices_of(read: Reader, actor: Actor, reports: Sequence[Report]) -> list[Earlier]:
    if not actor.may(Permission.INVOICE_READ):
        return []
    return read.plain(from_reports.earlier, [report.id for report in reports])
