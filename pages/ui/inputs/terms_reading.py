"""How payment terms are understood, shown below the field in which they are typed."""

from datetime import date

import streamlit as st

from billing_core.languages.available import SOURCE_LANGUAGE
from billing_core.languages.formats import writing
from billing_core.payment_terms.reading import understood
from billing_core.payment_terms.wording import written
from pages.ui import formats
from pages.ui.text import md

EXAMPLES = "Such as Net 30, 2% 10 days, net 30, or 30 Tage netto"


def show(text: str, issued_on: date, due_on: date | None = None, *, of_many: bool = False) -> None:
    """What the terms mean for an invoice of that day; ``due_on``: its due date, which may be another. ``of_many``: they
    are for all invoices to come, also those that nobody is there to choose a due date for.
    """
    agreed = understood(text)
    if agreed is None:
        if text.strip() or of_many:
            _warn(text, of_many=of_many)
        return
    meant = agreed.due_on(issued_on)
    dates = [f"due {md(formats.day(meant))}"]
    for one in agreed.discounts:
        percent = f"{one.percent:f} %"
        dates.append(f"{md(percent)} off until {md(formats.day(one.until(issued_on)))}")
    reading = md(written(agreed, writing(SOURCE_LANGUAGE)))
    st.caption(f"Understood as “{reading}”. An invoice of {md(formats.day(issued_on))}: {', '.join(dates)}.")
    if due_on is not None and due_on != meant:
        st.caption(f":orange[:material/help: The due date was chosen: {md(formats.day(due_on))}.]")


def _warn(text: str, *, of_many: bool) -> None:
    what = (
        "These terms are not understood. They are printed as they are, and the due date must be chosen."
        if text.strip()
        else "Without terms the due date must be chosen."
    )
    more = f" Until there are others, nothing is billed by itself. {EXAMPLES}." if of_many else ""
    st.caption(f":orange[:material/help: {what}{more}]")
