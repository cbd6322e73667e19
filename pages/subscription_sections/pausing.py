"""Pausing and resuming a subscription, and charging another card: in words before it is done."""

import streamlit as st

from billing_core.dates import day_in, utc_now
from billing_core.subscriptions.changes import pausing, paying
from billing_core.subscriptions.overview.history import Shown
from pages.subscription_sections import paying_by
from pages.ui import collection_mode, context, formats
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader
from pages.ui.text import md


@st.dialog("Pause the subscription", icon=":material/pause:")
def pause(shown: Shown) -> None:
    actor = signed_in()
    st.markdown(
        "Periods that begin from now on are not billed, until it is resumed. What was billed before stays due, and is "
        "collected as ever."
    )
    if st.button("Pause it", type="primary", icon=":material/pause:", key="do_pause_subscription"):
        with context.attempt("The subscription is paused") as session:
            pausing.pause(session, actor, shown.row.public_id, now=utc_now())


@st.dialog("Go on with the subscription", icon=":material/play_arrow:")
def resume(shown: Shown) -> None:
    actor = signed_in()
    day = md(formats.day(day_in(shown.zone, shown.row.next_at))) if shown.row.next_at else ""
    told = "It is billed again from its next period on" if shown.row.paused_at else "It does not end with its period"
    st.markdown(f"{told}{f', which begins on **{day}**' if day else ''}.")
    if st.button("Go on with it", type="primary", icon=":material/play_arrow:", key="do_resume_subscription"):
        with context.attempt("The subscription goes on") as session:
            pausing.resume(session, actor, shown.row.public_id, now=utc_now())


@st.dialog("Another payment method", icon=":material/credit_card:")
def other_method(shown: Shown) -> None:
    actor = signed_in()
    collection_mode.mark()
    method = paying_by.choose(Reader(actor), shown.row.customer_id, key="other_method", with_link=False)
    st.caption("What an earlier card did not pay is charged to it at once.")
    if st.button("Use it", type="primary", icon=":material/check:", key="do_other_method") and method:
        with collection_mode.asking("The payment method is in use from now on") as sessions:
            gateway = collection_mode.gateway()
            paying.replace(sessions, actor, gateway, shown.row.public_id, method, now=utc_now())
