"""The paper itself, shown in the page: the same PDF that the customer gets."""

import streamlit as st

from billing_core.invoices.rows import InvoiceView

_HEIGHT = 760


def address(invoice: InvoiceView, *, inline: bool = False) -> str:
    """Where the PDF is; in the page one address a version, so that the browser shows no older one."""
    path = f"/downloads/invoices/{invoice.id}.pdf"
    return f"{path}?inline=1&version={invoice.version}#toolbar=0&navpanes=0&view=FitH" if inline else path


def draw(invoice: InvoiceView | None, *, height: int = _HEIGHT) -> None:
    if invoice is None:
        with st.container(border=True, height=height, vertical_alignment="center", horizontal_alignment="center"):
            st.caption("The paper shows here as soon as the draft is saved.", width="content")
        return
    st.iframe(address(invoice, inline=True), height=height, alt="The invoice as PDF")
