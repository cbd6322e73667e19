"""What the month's usage costs, part by part."""

import streamlit as st

from billing_core.usage.charges import Charge
from billing_core.usage.overview import Month
from pages.ui import formats, tables
from pages.usage_sections import explaining, wording

_ASKED = "usage_line"


def draw(month: Month) -> None:
    st.subheader("What it costs", anchor=False)
    if not month.charges:
        st.caption("Nothing was used in this month, and the organization is on no plan.")
        return
    tables.show(
        month.charges,
        [
            tables.button("Explain", lambda _: "Explain", opens=_ask, width=84),
            tables.computed("What", lambda charge: wording.what(charge)),
            tables.computed("Days", lambda charge: formats.period(charge.segment.days)),
            tables.computed("Plan", wording.version),
            tables.quantity("Used", "quantity"),
            tables.quantity("Included", "included"),
            tables.quantity("Beyond", "billable"),
            tables.computed("Price", wording.prices, right=True),
            tables.money("Cost", "amount"),
            tables.computed("Currency", lambda _: month.currency, width=80),
        ],
        key="usage_charges",
        alt="Each part of the month, with its plan, what was used and what it costs",
    )
    if len(month.charges) > 1:
        st.caption("Each part of a month has its share of what is included, by its days. Nothing is pooled among them.")
    if month.true_up:
        added = wording.money(month.true_up)
        st.caption(f"The cost so far leaves out {added} of minimums, which are owed once the month is over.")
    asked: Charge | None = st.session_state.pop(_ASKED, None)
    if asked is not None:
        explaining.draw(month, asked)


def _ask(charge: Charge) -> None:
    st.session_state[_ASKED] = charge
