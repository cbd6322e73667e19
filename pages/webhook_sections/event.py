"""One event of the payment service: what it said, exactly, and what became of it."""

import json

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.jobs import incoming_webhook_processing
from billing_core.online_payments import queries
from billing_core.online_payments.models import WebhookState
from billing_core.online_payments.queries import EventRow
from billing_core.online_payments.webhooks import inbox
from billing_core.text import control_character
from pages.ui import context, formats, messages, opened
from pages.ui.colors import Color
from pages.ui.text import md

STATES: dict[WebhookState, tuple[str, Color]] = {
    WebhookState.WAITING: ("Waiting", "blue"),
    WebhookState.HANDLED: ("Handled", "green"),
    WebhookState.IGNORED: ("Ignored", "gray"),
    WebhookState.FAILED: ("Failed", "red"),
}


def draw(actor: Actor, identity: str, zone: str) -> None:
    event_id = opened.parsed(identity, digits=opened.LONG_ID_DIGITS)
    if event_id is None:
        st.error(f"There is no event “{md(identity)}”", icon=":material/error:")
        return
    try:
        # Not from memory: it is applied without anybody's doing.
        with runtime.sessions()() as session:
            event, payload = queries.event(session, actor, event_id)
    except BillingError as error:
        context.refused(error)
        return
    with st.container(border=True):
        opened.heading(md(event.type), "event")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            label, color = STATES[event.state]
            st.badge(label, color=color)
            st.badge("Live" if event.livemode else "No real money", color="red" if event.livemode else "gray")
            st.caption(md(_history(event, zone)), width="content")
        if event.outcome:
            st.markdown(md(formats.with_days(event.outcome)))
        if event.last_error:
            st.error(f"The last attempt failed: {md(formats.with_days(event.last_error))}", icon=":material/error:")
        _actions(actor, event)
        st.caption("What was received, exactly; the customer's data in it is as confidential as the invoice.")
        st.code(_readable(payload), language="json", height=360)


def _history(event: EventRow, zone: str) -> str:
    """When it happened there, when we heard of it, and what comes next."""
    parts = [
        f"{event.event_id}, sent by API version {event.api_version or 'unknown'}",
        f"happened {formats.instant(event.created_at, zone)}",
        f"received {formats.instant(event.received_at, zone)}",
    ]
    if event.attempts:
        parts.append(formats.counted(event.attempts, "attempt"))
    if event.state is WebhookState.WAITING:
        parts.append(f"next attempt {formats.instant(event.not_before, zone)}")
    elif event.handled_at is not None:
        parts.append(f"processed {formats.instant(event.handled_at, zone)}")
    return " · ".join(parts)


def _actions(actor: Actor, event: EventRow) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if event.invoice_id is not None:
            st.page_link(
                "invoice_editor.py",
                label=md(f"Invoice {event.invoice_number or event.invoice_id}"),
                icon=":material/request_quote:",
                query_params={"invoice": str(event.invoice_id)},
            )
        again = event.state is not WebhookState.HANDLED and actor.may(Permission.PAYMENT_WRITE)
        if again and st.button("Process again", icon=":material/refresh:", key="event_again", type="primary"):
            with context.transaction() as session:
                inbox.process_again(session, actor, event.id, now=utc_now())
            incoming_webhook_processing.nudge()
            messages.say("It is processed again now", icon=":material/refresh:")
            st.rerun()


def _readable(payload: str) -> str:
    """Laid out for people; as it came where it is no JSON."""
    try:
        laid_out = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return payload
    # Half a character stands there as its number, and no browser could be sent it otherwise.
    return payload if control_character(laid_out) else laid_out
