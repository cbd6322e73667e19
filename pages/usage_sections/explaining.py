"""Where a line comes from: its calculation, and the days, users and events that its calls are."""

from datetime import date

import streamlit as st

from billing_core.dates import Period
from billing_core.metering import queries as metering
from billing_core.metering.models import API_CALLS, ZoneKind
from billing_core.usage import activity
from billing_core.usage.charges import Charge
from billing_core.usage.overview import Month
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.figures.drilldown import say_whether
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.usage_sections import wording
from pages.usage_sections.events import COLUMNS

_USERS, _EVENTS = 200, 100
_HEIGHT = 320


@st.dialog("Where this line comes from", width="large", icon=":material/account_tree:")
def draw(month: Month, charge: Charge) -> None:
    read = Reader(signed_in())
    customer_id, days = month.organization.customer_id, charge.segment.days
    what = f"{wording.what(charge)}, {wording.version(charge)}, {formats.period(days)}"
    st.metric(md(what), wording.money(charge.amount))
    st.markdown("  \n".join(md(step) for step in wording.steps(month, charge)))
    others = [other for other in month.charges if other.meter == API_CALLS and other.segment == charge.segment]
    if others != [charge]:
        return
    used = [day for day in read(metering.daily, customer_id, days, zone_kind=ZoneKind.BILLING) if day.calls]
    calls = sum(day.calls for day in used)
    say_whether(f"Sum of its days: {formats.counted(calls, 'call')}", calls == charge.quantity)
    if not used:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        day = st.selectbox(
            "Day",
            [None, *(day.day for day in used)],
            format_func=lambda one: "Every day" if one is None else formats.day(one),
            key="line_day",
            width=200,
        )
        user = _user(read, customer_id, day) if day else None
    if day is None:
        tables.show(
            used,
            [tables.day("Day", "day"), tables.count("Calls", "calls"), tables.count("Users", "active_users")],
            key="line_days",
            alt="Calls of each day",
            height=_HEIGHT,
        )
    elif user is None:
        tables.show(
            read(activity.top_users, customer_id, Period(day, day), limit=_USERS),
            [tables.computed("User", lambda row: wording.user(row.user)), tables.count("Calls", "calls")],
            key="line_users",
            alt="Calls of each user on this day",
            height=_HEIGHT,
        )
    else:
        first, last = activity.window(read.plain(activity.billing_zone, customer_id), Period(day, day))
        tables.show(
            read(metering.events, customer_id, start=first, end=last, user=user, limit=_EVENTS),
            COLUMNS,
            key="line_events",
            alt="Events of this user on this day",
            height=_HEIGHT,
        )
        st.caption(f"The first {_EVENTS} events of this user on this day, withdrawn ones too.")


def _user(read: Reader, customer_id: int, day: date) -> str | None:
    users = [row.user for row in read(activity.top_users, customer_id, Period(day, day), limit=_USERS)]
    return st.selectbox(
        "User",
        [None, *users],
        format_func=lambda one: "Every user" if one is None else wording.user(one),
        key=f"line_user_{day}",
        width=260,
    )
