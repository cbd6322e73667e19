"""What is said of a payment that looks like one that was recorded before. It may be right all the same."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from billing_core.money import Money
from billing_core.payments import queries
from pages.ui import formats
from pages.ui.reads import Reader
from pages.ui.text import md

_NAMED = 5


def warn_of_many(read: Reader, payments: Sequence[tuple[int, Money]], received_on: date, reference: str) -> None:
    """Name the first ones of several (customer's id, amount) that look as if they were recorded before."""
    found = read(queries.alike_of_many, payments, received_on=received_on, reference=reference)
    if not found:
        return
    named = ", ".join(
        f"[payment {first.id}](/payments?payment={first.id}) of {md(formats.day(first.received_on))} by "
        f"{md(first.customer_name)}"
        for first in list(found.values())[:_NAMED]
    )
    more = f" and {formats.count(len(found) - _NAMED)} more" if len(found) > _NAMED else ""
    st.warning(
        f"The same amount was recorded before for {formats.count(len(found))} of these: {named}{more}. "
        "Mark those as paid only if the money came twice.",
        icon=":material/content_copy:",
    )


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
