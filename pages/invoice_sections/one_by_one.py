"""Doing the same with several invoices, each in a transaction of its own: one refusal stops none of the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.errors import BillingError
from billing_core.invoices.rows import InvoiceRow
from pages.invoice_sections.columns import number
from pages.ui import formats, messages, tables

_RESULT = "one_by_one_result"


@dataclass(frozen=True, slots=True)
class Refused:
    """``reason``: why nothing is, or was, done with this invoice."""

    invoice: InvoiceRow
    reason: str


def carry_out(rows: Sequence[InvoiceRow], verb: Callable[[Session, InvoiceRow], object]) -> list[Refused]:
    """Those that were refused, with the reason."""
    refused = []
    bar = st.progress(0.0, text="Starting")
    for done, row in enumerate(rows, 1):
        try:
            with runtime.sessions().begin() as session:
                verb(session, row)
        except BillingError as error:
            refused.append(Refused(row, str(error)))
        bar.progress(done / len(rows), text=f"{formats.count(done)} of {formats.count(len(rows))}")
    bar.empty()
    return refused


def finish(done: str, refused: list[Refused]) -> None:
    """Close the dialog; the page then says what was done, and what was not."""
    if refused:
        st.session_state[_RESULT] = (done, refused)
    else:
        messages.say(done)
    st.rerun()


def result() -> None:
    """What the last action left undone, until somebody has read it."""
    if _RESULT not in st.session_state:
        return
    done, refused = st.session_state[_RESULT]
    with st.container(border=True):
        st.markdown(done)
        left_out(refused, "Not done")
        st.button("Close", key="close_result", on_click=st.session_state.pop, args=(_RESULT,))


def left_out(refused: Sequence[Refused], title: str = "Left out") -> None:
    if not refused:
        return
    st.markdown(f":orange[:material/block:] **{title}: {formats.count(len(refused))}**")
    tables.show(
        refused,
        [
            tables.computed("Invoice", lambda one: number(one.invoice)),
            tables.computed("Customer", lambda one: one.invoice.customer_name),
            tables.computed("Why", lambda one: formats.sentence(one.reason), width="large"),
        ],
        key="one_by_one_left_out",
        alt="Invoices with which nothing is done, and why",
        height="content" if len(refused) <= 6 else 240,
    )
