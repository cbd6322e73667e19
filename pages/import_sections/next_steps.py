"""What to do next about what was imported: each with its number, and the way to it."""

from collections.abc import Sequence
from datetime import date

import streamlit as st

from billing_core.dates import Period
from billing_core.identity import Actor
from billing_core.imports.models import FileState
from billing_core.imports.next_steps import counting
from billing_core.imports.next_steps.counting import Step, Task
from billing_core.imports.received import Received
from pages.ui import formats
from pages.ui.context import reading
from pages.ui.inputs.filters import CUSTOM

_LACKS = {
    Task.PRICE_CUSTOMERS: "prices",
    Task.ADD_EMAILS: "email",
    Task.ADD_ADDRESSES: "address",
    Task.ADD_PLANS: "plan",
}


def draw(actor: Actor, files: Sequence[Received]) -> None:
    """Asked anew each time, as each of them may have been done meanwhile."""
    kinds = {file.kind for file in files if file.state is FileState.IMPORTED and file.kind is not None}
    if not kinds:
        return
    with reading() as session:
        steps = counting.after(session, actor, kinds)
    if not steps:
        return
    with st.container(border=True):
        st.markdown("**What to do next**")
        for step in steps:
            _step(step)


def _step(step: Step) -> None:
    if step.task is Task.REPORT_ORDERS:
        st.markdown(f"{step.words}:")
        with st.container(horizontal=True):
            for month, orders in step.months:
                _month(month, orders)
    elif step.task is Task.PRICE_SERVICES:
        st.page_link(
            "rate_cards.py",
            label=f"{step.words}: set their prices",
            icon=":material/price_change:",
            query_params={"rate_tab": "Services"},
        )
    else:
        st.page_link(
            "customers.py",
            label=f"{step.words}: show them",
            icon=":material/groups:",
            query_params={"customers_lacks": _LACKS[step.task]},
        )


def _month(month: date, orders: int) -> None:
    days = Period.month_of(month)
    st.page_link(
        "reports.py",
        label=f"{formats.month(month)}: generate reports of {formats.counted(orders, 'order')}",
        icon=":material/play_circle:",
        query_params={
            "tab": "Generate",
            "run_period": CUSTOM,
            "run_period_days": [days.start.isoformat(), days.end.isoformat()],
        },
    )
