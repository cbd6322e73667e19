"""Who is behind a month's calls: the users and endpoints with the most, and how long the calls took."""

import streamlit as st

from billing_core.usage import activity
from billing_core.usage.overview import Month
from pages.ui import formats, tables
from pages.ui.reads import Reader
from pages.usage_sections import trend, wording


def draw(read: Reader, month: Month) -> None:
    customer_id, days = month.organization.customer_id, month.period
    users = read(activity.top_users, customer_id, days)
    if not users:
        st.info(f"No calls in {formats.period(days)}.", icon=":material/info:")
        return
    left, right = st.columns(2)
    with left:
        st.subheader("Users with the most calls", anchor=False)
        tables.show(
            users,
            [
                tables.computed("User", lambda row: wording.user(row.user)),
                tables.count("Calls", "calls"),
                tables.computed("Mean time", lambda row: wording.seconds(row.mean_seconds), right=True),
            ],
            key="usage_users",
            alt="Users with the most calls",
        )
    with right:
        st.subheader("Endpoints with the most calls", anchor=False)
        tables.show(
            read(activity.top_endpoints, customer_id, days),
            [
                tables.computed("Endpoint", lambda row: wording.endpoint(row.endpoint)),
                tables.count("Calls", "calls"),
                tables.computed("Mean time", lambda row: wording.seconds(row.mean_seconds), right=True),
                tables.computed("Slowest", lambda row: wording.seconds(row.slowest_seconds), right=True),
            ],
            key="usage_endpoints",
            alt="Endpoints with the most calls",
        )
        st.caption(f"Among the newest {formats.count(activity.NEWEST)} calls of the month.")
    trend.response_times(read, month)
