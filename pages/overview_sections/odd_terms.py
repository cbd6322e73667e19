"""Customers and businesses whose payment terms nobody understands, each with one click to where they are changed."""

from typing import Final

import streamlit as st

from billing_core.customers import terms
from billing_core.customers.terms import NotUnderstood
from billing_core.identity import Actor, Permission
from pages.ui import tables
from pages.ui.reads import Reader

# Of more, the rest is listed once these are changed.
_MOST: Final = 10


def found(read: Reader, actor: Actor) -> list[NotUnderstood]:
    return read(terms.not_understood, limit=_MOST) if actor.may(Permission.CUSTOMER_READ) else []


def draw(actor: Actor, rows: list[NotUnderstood]) -> None:
    st.markdown(
        ":material/event_busy: Payment terms that are not understood: no due date follows from them, so that nothing "
        "is billed by itself. Write them as in “Net 30”."
    )
    tab = "Edit details" if actor.may(Permission.CUSTOMER_WRITE) else "Overview"

    def opens(row: NotUnderstood) -> None:
        if row.is_business:
            st.switch_page("admin/business.py", query_params={"business": str(row.id)})
        st.switch_page("customers.py", query_params={"customer": str(row.id), "customer_tab": tab})

    columns = [
        tables.button("Open", lambda row: f":material/open_in_new: {row.name}", opens=opens, width=190),
        tables.computed("Whose", lambda row: "Business" if row.is_business else "Customer", width=100),
        tables.computed("Payment terms", lambda row: row.terms or "None"),
    ]
    tables.show(rows, columns, key="odd_terms", alt="Payment terms that are not understood")
    if len(rows) == _MOST:
        st.caption("There may be more: they follow once these are changed.")
