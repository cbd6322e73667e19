"""Cancelling, pausing and resuming a subscription, and charging another card: in words before it is done."""

from typing import Final

import streamlit as st

from billing_core.dates import day_in, utc_now
from billing_core.subscriptions.changes import cancelling, pausing, paying
from billing_core.subscriptions.changes.closing import Ending, OpenInvoices, Unused
from billing_core.subscriptions.overview.history import Shown
from billing_core.text import LONGEST_REASON
from pages.subscription_sections import paying_by
from pages.ui import collection_mode, context, formats
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader
from pages.ui.text import md

_PERIOD_END, _NOW = "At the end of the period", "Now"
_UNUSED: Final = {
    Unused.CREDIT: "is credited: it pays what is due, and then later invoices",
    Unused.REFUND: "is paid back to the card",
    Unused.NOTHING: "is kept by us",
}
_OPEN: Final = {OpenInvoices.KEEP: "stay due, without another charge", OpenInvoices.VOID: "are cancelled"}


@st.dialog("Cancel the subscription", icon=":material/cancel:")
def cancel(shown: Shown) -> None:
    actor = signed_in()
    collection_mode.mark()
    at_end = not shown.row.cancel_at_period_end and shown.row.next_at is not None
    choices = [_PERIOD_END, _NOW] if at_end else [_NOW]
    when = st.segmented_control("When", choices, default=choices[0], key="cancel_when", required=True)
    unused, unpaid = Unused.CREDIT, OpenInvoices.KEEP
    if when == _NOW:
        unused = st.selectbox(
            "What is paid and not used", list(_UNUSED), format_func=_UNUSED.__getitem__, key="cancel_unused"
        )
        unpaid = st.selectbox(
            "Invoices that are not paid", list(_OPEN), format_func=_OPEN.__getitem__, key="cancel_unpaid"
        )
        st.warning("It ends today, and no card is charged for it any more. This cannot be undone.")
    elif shown.row.next_at is not None:
        day = formats.day(day_in(shown.zone, shown.row.next_at))
        st.markdown(f"It goes on until **{md(day)}** and ends then. Until that day this can be taken back.")
    reason = st.text_input("Reason", key="cancel_reason", max_chars=LONGEST_REASON, placeholder="Too expensive")
    ending = Ending(when != _NOW, unused, unpaid, reason)
    done = "The subscription is canceled" if when == _NOW else "The subscription ends with its period"
    if st.button("Cancel it", type="primary", icon=":material/cancel:", key="do_cancel_subscription"):
        with collection_mode.asking(done) as sessions:
            gateway = collection_mode.gateway()
            cancelling.cancel(sessions, actor, gateway, shown.row.public_id, ending, now=utc_now())


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
