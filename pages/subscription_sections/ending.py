"""Cancelling a subscription: what it comes to, before anything is done."""

from typing import Final

import streamlit as st

from billing_core import runtime
from billing_core.dates import day_in, utc_now
from billing_core.errors import BillingError
from billing_core.subscriptions.changes import cancelling
from billing_core.subscriptions.changes.closing import Closing, Ending, OpenInvoices, Unused
from billing_core.subscriptions.overview.history import Shown
from billing_core.text import LONGEST_REASON
from pages.ui import collection_mode, context, formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.text import md

_PERIOD_END, _NOW = "At the end of the period", "Now"
_SHOWN: Final = "subscription_ending_shown"
_UNUSED: Final = {
    Unused.CREDIT: "is credited: it pays what is due, and then later invoices",
    Unused.REFUND: "is paid back to the card",
    Unused.NOTHING: "is kept by us",
}
_OPEN: Final = {OpenInvoices.KEEP: "stay due, without another charge", OpenInvoices.VOID: "are cancelled"}


@st.dialog("Cancel the subscription", icon=":material/cancel:", width="medium")
def cancel(shown: Shown) -> None:
    actor = signed_in()
    collection_mode.mark()
    ending = _fields(shown)
    # What stands on the screen while the button is pressed: the run that follows computes anew.
    seen = st.session_state.get(_SHOWN)
    public_id, mode = shown.row.public_id, collection_mode.mode()
    try:
        with runtime.sessions()() as session:
            closing = cancelling.preview(session, actor, public_id, ending, mode=mode, now=utc_now())
    except BillingError as error:
        context.refused(error)
        return
    st.session_state[_SHOWN] = closing.token
    if ending.at_period_end:
        _at_period_end(shown, closing)
    else:
        _now(closing)
    done = "The subscription ends with its period" if ending.at_period_end else "The subscription is canceled"
    if st.button("Cancel it", type="primary", icon=":material/cancel:", key="do_cancel_subscription"):
        with collection_mode.asking(done) as sessions:
            gateway = collection_mode.gateway()
            cancelling.cancel(sessions, actor, gateway, public_id, ending, token=seen, now=utc_now())
    if not ending.at_period_end:
        _invoices(closing)


def _fields(shown: Shown) -> Ending:
    at_end = not shown.row.cancel_at_period_end and shown.row.next_at is not None
    choices = [_PERIOD_END, _NOW] if at_end else [_NOW]
    when = st.segmented_control("When", choices, default=choices[0], key="cancel_when", required=True)
    unused, unpaid = Unused.CREDIT, OpenInvoices.KEEP
    if when == _NOW:
        unused = st.selectbox(
            "What is billed and not used", list(_UNUSED), format_func=_UNUSED.__getitem__, key="cancel_unused"
        )
        unpaid = st.selectbox(
            "Invoices that are not paid", list(_OPEN), format_func=_OPEN.__getitem__, key="cancel_unpaid"
        )
    reason = st.text_input("Reason", key="cancel_reason", max_chars=LONGEST_REASON, placeholder="Too expensive")
    return Ending(when != _NOW, unused, unpaid, reason)


def _at_period_end(shown: Shown, closing: Closing) -> None:
    until = "" if shown.row.next_at is None else formats.day(day_in(shown.zone, shown.row.next_at))
    told = [f"It goes on until **{md(until)}** and ends then. Until that day this can be taken back."]
    told.append("Nothing is given back.")
    if due := sum(one.due_minor for one in closing.invoices):
        told.append(f"The {md(formats.money(due, closing.currency))} that are due are collected as ever.")
    st.markdown(" ".join(told))


def _now(closing: Closing) -> None:
    day = md(formats.day(closing.last_day))
    st.warning(
        f"The last day of use is **{day}**, and no card is charged for it any more. This cannot be undone.",
        icon=":material/warning:",
    )
    if closing.unbilled_from is not None:
        waiting = f"{md(formats.day(closing.unbilled_from))} to {day}"
        st.warning(
            f"The days from **{waiting}** wait for a decision, and are not billed. Release it first to bill them.",
            icon=":material/front_hand:",
        )
    st.markdown(" ".join(_given_back(closing)))


def _given_back(closing: Closing) -> list[str]:
    """What was charged and is not used, and where it goes."""

    def amount(minor: int) -> str:
        return md(formats.money(minor, closing.currency))

    told = []
    if closing.credited_minor:
        tax = f", {amount(closing.tax_minor)} of tax in it" if closing.tax_minor else ""
        goes = [
            f"{amount(minor)} {words}"
            for minor, words in (
                (closing.off_invoices_minor, "is taken off what is due"),
                (closing.refunded_minor, "is paid back to the card"),
                (closing.prepaid_minor, "goes back to prepaid credit"),
                (closing.kept_minor, "becomes credit that pays later invoices"),
            )
            if minor
        ]
        told.append(f"**{amount(closing.credited_minor)}** was billed for days after it{tax}: {', '.join(goes)}.")
        if closing.refunded_minor:
            told.append("What the payment service refuses to pay back becomes credit.")
    elif closing.ending.unused is not Unused.NOTHING:
        told.append("Nothing was billed for days after it.")
    else:
        told.append("Nothing is given back.")
    if closing.has_more and closing.unbilled_from is None:
        told.append("What was used up to that day is billed once it is over.")
    elif closing.has_more:
        told.append("What was used in the period before them is billed.")
    if closing.scheduled:
        told.append(f"{formats.counted(len(closing.scheduled), 'scheduled change')} will not begin.")
    return told


def _invoices(closing: Closing) -> None:
    """What becomes of each that is not paid."""
    if not closing.invoices:
        return

    def column(label: str, name: str) -> tables.Column:
        def cell(row: object) -> str:
            return formats.amount(getattr(row, name), closing.currency)

        return tables.computed(label, cell, right=True, width=100)

    tables.show(
        closing.invoices,
        [
            tables.computed("Open invoice", lambda row: row.number or "Draft", width=120),
            column(f"Left, {closing.currency}", "left_minor"),
            column("Due before", "due_minor"),
            column("Not used", "credited_minor"),
            column("Cancelled", "voided_minor"),
        ],
        key="subscription_ending_invoices",
        alt="What becomes of invoices that are not paid",
    )
