"""Whether a customer is reminded, and until when it is not."""

from datetime import timedelta

import streamlit as st

from billing_core.customers import queries, service
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from pages.ui import formats, messages
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt, transaction
from pages.ui.inputs import reminder_hold
from pages.ui.reads import Reader
from pages.ui.text import md

_USUAL = timedelta(days=30)


def button(read: Reader, actor: Actor, customer: Customer) -> None:
    """What may be done about it."""
    if not actor.may(Permission.REMINDER_WRITE):
        return
    if not _held(read, customer):
        if st.button("Hold reminders", icon=":material/notifications_paused:", key="hold_reminders"):
            hold(customer.id)
    elif st.button("Remind again", icon=":material/notifications_active:", key="release_reminders"):
        with transaction() as session:
            service.release(session, actor, customer.id, now=utc_now())
        messages.say("This customer is reminded again")
        st.rerun()


def note(read: Reader, customer: Customer) -> None:
    """That it is not reminded, until when and why."""
    if _held(read, customer):
        st.warning(
            f"No reminders until {md(formats.day(customer.held_until))}: {md(customer.hold_reason)}",
            icon=":material/notifications_paused:",
        )


@st.dialog("Hold reminders", icon=":material/notifications_paused:")
def hold(customer_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    customer = read(queries.one, customer_id)
    st.markdown(f"{md(customer.name)} gets no reminder of any invoice up to and including that day.")
    until, reason = reminder_hold.fields(customer_id, read.today + _USUAL, today=read.today)
    if st.button("Hold", type="primary", icon=":material/notifications_paused:", key="do_hold"):
        with attempt(f"No reminders until {formats.day(until)}") as session:
            service.hold(session, actor, customer_id, until=until, reason=reason, today=read.today, now=utc_now())


def _held(read: Reader, customer: Customer) -> bool:
    return customer.held_until is not None and customer.held_until >= read.today
