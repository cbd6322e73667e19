"""The PDF that the customer gets, shown in the page."""

from typing import Literal

import streamlit as st
from sqlalchemy.orm import Session
from streamlit.delta_generator import DeltaGenerator

from billing_core.invoices.documents import document
from billing_core.invoices.documents.pdf import invoice_pdf
from billing_core.invoices.rows import InvoiceView
from billing_core.pdf_layout.pictures import pictures
from billing_core.settings import settings
from pages.ui import formats
from pages.ui.reads import Reader

_MOST_PAGES = 3
_NARROWEST = 400


def address(invoice: InvoiceView) -> str:
    """Where the PDF is."""
    return f"/downloads/invoices/{invoice.id}.pdf"


def beside() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Two places of the same width: next to each other, or below where there is no room for that."""
    halves = st.grid(2, min_column_width=_NARROWEST, gap="medium")
    return halves.cell(), halves.cell()


def draw(read: Reader, invoice: InvoiceView | None, *, height: Literal["content"] | int = "content") -> None:
    """As pictures: browsers show no PDF inside the frames that the dashboard may use."""
    if invoice is None:
        with st.container(border=True, height=420, vertical_alignment="center", horizontal_alignment="center"):
            st.caption("The PDF appears here as soon as the draft is saved.", width="content")
        return
    shown, pages = read.plain(_paper, invoice.id)
    with st.container(border=True, height=height):
        for place, page in enumerate(shown, start=1):
            st.image(page, width="stretch", output_format="PNG", alt=f"The invoice as PDF, page {place} of {pages}")
        if pages > len(shown):
            st.caption(f"… and {formats.counted(pages - len(shown), 'more page')} in the PDF")


def _paper(session: Session, invoice_id: int) -> tuple[list[bytes], int]:
    invoice_document = document.of_invoice(session, invoice_id, address=settings().address)
    return pictures(invoice_pdf(invoice_document), most=_MOST_PAGES)
