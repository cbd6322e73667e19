"""What the customer has used in the present period of a subscription whose plan has a price for usage."""

import streamlit as st

from billing_core.dates import Period, day_in
from billing_core.subscriptions.overview import history
from billing_core.subscriptions.overview.history import Shown
from pages.ui import formats, tables
from pages.ui.reads import Reader
from pages.usage_sections import wording


def draw(read: Reader, shown: Shown) -> None:
    days = shown.period or Period(day_in(shown.zone, shown.row.created_at), read.today)
    charges = read(history.used, shown.row.id, days)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(f"Used, {formats.period(days)}", anchor=False, width="content")
        if st.button("All usage of this customer", icon=":material/data_usage:", key="subscription_usage"):
            st.switch_page("usage.py", query_params={"organization": str(shown.row.customer_id)})
    if shown.period is None:
        st.caption("Usage in a trial is shown and never billed.")
    if not charges:
        st.caption("Nothing was used in these days.")
        return
    tables.show(
        charges,
        [
            tables.computed("What", wording.what),
            tables.quantity("Used", "quantity"),
            tables.quantity("Included", "included"),
            tables.quantity("Beyond", "billable"),
            tables.computed("Price", wording.prices, right=True),
            tables.money("Cost so far", "without_minimum", width=110),
            tables.computed("Currency", lambda _: shown.row.currency, width=80),
        ],
        key="subscription_used",
        alt="What was used in the present period, and what it costs so far",
    )
    st.caption("It is billed with the invoice of the next period.")
