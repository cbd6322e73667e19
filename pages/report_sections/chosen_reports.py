"""What can be done with the reports that are ticked, or with all that match: files of them, and invoices."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.reports import queries
from billing_core.reports.exports.together.selection import MOST_DOCUMENTS
from billing_core.reports.queries import Report, ReportFilter
from pages.report_sections import invoicing
from pages.ui import downloads, formats
from pages.ui.inputs import bulk_selection
from pages.ui.reads import Reader

_PUBLISHED = {"variant": "short"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """``total`` match the filter. ``ticked``: those of them that are meant; where there are none, all are."""

    filter: ReportFilter
    total: int
    ticked: tuple[Report, ...]
    everything: bool

    @property
    def count(self) -> int:
        return len(self.ticked) or self.total

    @property
    def facts(self) -> Mapping[str, object]:
        """How the addresses of files name them."""
        if self.ticked:
            return {"ids": ",".join(str(report.id) for report in self.ticked)}
        return asdict(self.filter)


def draw(read: Reader, actor: Actor, chosen: Chosen) -> None:
    """In a row that has begun with the choice of all that match."""
    counted = formats.counted(chosen.count, "report")
    st.markdown(f"**{counted}**" if chosen.ticked or chosen.everything else f"{counted}, none ticked", width="content")
    if actor.may(Permission.EXPORT):
        files(chosen.facts, chosen.count)
        _further_files(chosen)
    if actor.may(Permission.INVOICE_WRITE):
        _invoicing(read, chosen)


def files(facts: Mapping[str, object], count: int) -> None:
    """The reports that the facts name as one workbook, one PDF and one CSV."""
    st.link_button(
        "Excel workbook",
        downloads.address("reports.xlsx", **facts),
        icon=":material/grid_on:",
        type="primary",
        help="Summary, totals by service, and every charge with its order, customer, date and currency",
    )
    fits = count <= MOST_DOCUMENTS
    st.link_button(
        "PDF",
        downloads.address("reports.pdf", **facts),
        icon=":material/picture_as_pdf:",
        disabled=not fits,
        help="All of them in one document"
        if fits
        else f"A PDF is made of {formats.count(MOST_DOCUMENTS)} reports at most; the workbook takes all of them.",
    )
    st.link_button(
        "CSV",
        downloads.address("report-charges.csv", **facts),
        icon=":material/csv:",
        help="Every charge, explained, with its order, customer, date and currency",
    )


def _further_files(chosen: Chosen) -> None:
    with st.popover("More files", icon=":material/folder_zip:"):
        for label, file, more in (
            ("List of these reports as CSV", "reports.csv", {}),
            ("ZIP of a CSV each", "reports.zip", {}),
            ("ZIP of a CSV each, four columns", "reports.zip", _PUBLISHED),
        ):
            if file == "reports.csv" and chosen.ticked:
                continue
            excel = {"excel": 1} if file.endswith("zip") else {}
            address = downloads.address(file, **chosen.facts, **more, **excel)
            st.link_button(label, address, icon=":material/download:", width="stretch")


def _invoicing(read: Reader, chosen: Chosen) -> None:
    if not (chosen.ticked or chosen.everything):
        st.caption("Tick reports to invoice them together.", width="content")
        return
    fits = chosen.count <= bulk_selection.MOST
    pressed = st.button(
        "Invoice chosen reports",
        icon=":material/request_quote:",
        key="invoice_reports",
        disabled=not fits,
        help=None
        if fits
        else f"At most {formats.count(bulk_selection.MOST)} can be invoiced here at once. “Generate” drafts "
        "invoices of however many.",
    )
    if pressed:
        rows = chosen.ticked or tuple(read(queries.page, chosen.filter, limit=bulk_selection.MOST))
        invoicing.dialog(rows)
