"""What is said of a payment that looks like one that was recorded before. It may be right all the same."""

from datetime import date

import streamlit as st

from billing_core.money import Money
from billing_core.payments import queries
from pages.ui import formats
from pages.ui.reads import Reader
from pages.ui.text import md


def warn(read: Reader, customer_id: int, amount: Money, received_on: date, reference: str) -> None:
    """Name the first payment of the same customer and amount with the same reference or day, if there is one."""
    if amount.minor <= 0:
        return
    first = read(queries.alike, customer_id, amount, received_on=received_on, reference=reference)
    if first is None:
        return
    named = f", reference {md(first.reference)}," if first.reference else ""
    st.warning(
        f"The same amount was recorded for this customer before: "
        f"[payment {first.id}](/payments?payment={first.id}) of {md(formats.day(first.received_on))}{named} by "
        f"{md(first.created_by)}. Record it only if the money came twice.",
        icon=":material/content_copy:",
    )
