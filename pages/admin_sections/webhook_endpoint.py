"""One address that is told of events: its secret, what it was told, and its end."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor
from billing_core.outbox import service as outbox
from billing_core.outbox.models import MessageState
from billing_core.outgoing_webhooks import queries, service
from billing_core.outgoing_webhooks.models import EventType, WebhookEndpoint
from billing_core.outgoing_webhooks.queries import DeliveryRow
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.outgoing_webhooks.signing import HEADER, secret_of
from billing_core.settings import settings
from pages.outbox_sections import wording
from pages.ui import context, formats, mail_words, messages, opened, tables
from pages.ui.inputs import filters
from pages.ui.text import md

EVENTS = {
    EventType.INVOICE_CREATED.value: "Invoice created",
    EventType.INVOICE_UPDATED.value: "Invoice changed",
    EventType.INVOICE_SENT.value: "Invoice sent",
    EventType.INVOICE_VIEWED.value: "Invoice viewed by the customer",
    EventType.INVOICE_OVERDUE.value: "Invoice overdue",
    EventType.INVOICE_PAID.value: "Invoice paid",
    EventType.INVOICE_PAYMENT_FAILED.value: "Payment of an invoice failed",
    EventType.INVOICE_REFUNDED.value: "Invoice refunded",
    EventType.INVOICE_CANCELLED.value: "Invoice cancelled",
    EventType.REPORT_GENERATED.value: "Report generated",
    EventType.USAGE_THRESHOLD_REACHED.value: "Usage reached a threshold",
    EventType.SUBSCRIPTION_CREATED.value: "Subscription created",
    EventType.SUBSCRIPTION_UPDATED.value: "Subscription changed",
    EventType.SUBSCRIPTION_TRIAL_WILL_END.value: "Trial of a subscription about to end",
    EventType.SUBSCRIPTION_RENEWED.value: "Subscription renewed",
    EventType.SUBSCRIPTION_PAST_DUE.value: "Subscription past due",
    EventType.SUBSCRIPTION_UNPAID.value: "Subscription unpaid",
    EventType.SUBSCRIPTION_CANCELED.value: "Subscription canceled",
}
# Nobody recalls these: a person lays aside what failed.
STATES = mail_words.STATES | {
    MessageState.DELIVERED: ("Delivered", "green"),
    MessageState.HELD_BACK: ("Held back", "orange"),
    MessageState.RECALLED: ("Dismissed", "gray"),
}


def named_events(row: WebhookEndpoint) -> str:
    return ", ".join(EVENTS.get(event, event) for event in row.events) or "All"


def draw(actor: Actor, endpoint_id: int, zone: str, *, private_allowed: bool) -> None:
    """Everything about one address, and what an administrator can do about it."""
    with context.reading() as session:
        endpoint = service.one(session, actor, endpoint_id)
    with st.container(border=True):
        opened.heading(md(endpoint.url), "endpoint")
        st.text(f"Signing secret: each message's header {HEADER} is made with it.")
        secret = secret_of(settings().signing_key(), endpoint.public_id, endpoint.secret_turn)
        if st.toggle("Show the secret", key="endpoint_show_secret"):
            st.code(secret, language=None, wrap_lines=True)
        with st.container(horizontal=True):
            _ping(actor, endpoint)
            _edit(actor, endpoint, private_allowed=private_allowed)
            _rotate(actor, endpoint)
            _remove(actor, endpoint)
        _log(actor, endpoint, zone)


def _ping(actor: Actor, endpoint: WebhookEndpoint) -> None:
    if st.button("Send a test event", key="endpoint_ping", icon=":material/send:"):
        with context.attempt("A test event is queued. Its outcome appears below in a moment.") as session:
            service.ping(session, actor, endpoint.id, now=utc_now())


def _edit(actor: Actor, endpoint: WebhookEndpoint, *, private_allowed: bool) -> None:
    with st.popover("Change", icon=":material/edit:"), st.form("change_endpoint", border=False):
        url = st.text_input("Address", endpoint.url, key="endpoint_new_url", max_chars=1000)
        events = st.multiselect(
            "Events",
            [*EVENTS],
            [event for event in endpoint.events if event in EVENTS],
            format_func=EVENTS.__getitem__,
            key="endpoint_new_events",
            placeholder="All of them",
        )
        description = st.text_input(
            "What it is for",
            endpoint.description,
            key="endpoint_new_description",
            max_chars=service.LONGEST_DESCRIPTION,
        )
        if st.form_submit_button("Save", type="primary", key="endpoint_save"):
            with context.attempt("Saved.") as session:
                service.change(
                    session,
                    actor,
                    endpoint.id,
                    EndpointDetails(url, tuple(events), description),
                    private_allowed=private_allowed,
                    drawn_from=endpoint.version,
                    now=utc_now(),
                )


def _rotate(actor: Actor, endpoint: WebhookEndpoint) -> None:
    with st.popover("New secret", icon=":material/autorenew:"):
        st.text("From the next message on, the current secret is no longer used.")
        if st.button("Create a new secret", key="endpoint_rotate", type="primary"):
            with context.attempt("The new secret is in use.") as session:
                service.rotate(session, actor, endpoint.id, now=utc_now())


def _remove(actor: Actor, endpoint: WebhookEndpoint) -> None:
    with st.popover("Remove", icon=":material/link_off:"):
        st.text("It receives nothing any more, and what still waits is not sent.")
        if st.button("Remove", key="endpoint_remove", type="primary"):
            with context.transaction() as session:
                service.remove(session, actor, endpoint.id, now=utc_now())
            opened.close("endpoint")
            messages.say("Removed.")
            st.rerun()


def _log(actor: Actor, endpoint: WebhookEndpoint, zone: str) -> None:
    """Fresh on every run: messages change without anybody's doing."""
    with filters.row():
        state = filters.choice(
            "State",
            [one.value for one in STATES],
            key="told_state",
            page_key="told_page",
            names={one.value: label for one, (label, _) in STATES.items()},
        )
    states = (MessageState(state),) if state else ()
    with context.reading() as session:
        total = queries.delivery_count(session, actor, endpoint.id, states=states)
    if not total:
        st.info("No message is in this state." if states else "Nothing was sent yet.", icon=":material/outbox:")
        return
    _failed(actor, endpoint)
    skipped = tables.pager(total, key="told_page", noun="message", of=endpoint.id)
    with context.reading() as session:
        rows = queries.deliveries(session, actor, endpoint.id, states=states, limit=tables.PAGE_SIZE, offset=skipped)
    tables.show(
        rows,
        [
            tables.badge("State", lambda row: STATES[row.state][0], dict(STATES.values())),
            tables.text("Event", "topic"),
            tables.computed("Id", lambda row: row.event_id),
            tables.computed("About", _about),
            tables.instant("Happened", "created_at", zone),
            *wording.delivery_columns(zone),
        ],
        key="told",
        alt="What was sent to this endpoint, the newest first",
    )


def _failed(actor: Actor, endpoint: WebhookEndpoint) -> None:
    """What was tried for a day and not taken: once more, or never again."""
    with context.reading() as session:
        failed = queries.failed(session, actor, endpoint.id)
    if not failed:
        return
    messages_of = formats.counted(len(failed), "failed message")
    with st.container(horizontal=True):
        if st.button(f"Send {messages_of} again", key="told_again", icon=":material/replay:"):
            with context.attempt("They are being retried now.") as session:
                outbox.retry(session, actor, failed, now=utc_now())
        if st.button(
            f"Dismiss {messages_of}",
            key="told_lay_aside",
            icon=":material/archive:",
            help="They are never sent, and no longer counted on the overview.",
        ):
            with context.attempt("They are dismissed.") as session:
                outbox.lay_aside(session, actor, failed, now=utc_now())


def _about(row: DeliveryRow) -> str:
    kind, identity = row.content.get("about", ["", ""])
    return "test" if row.topic == EventType.PING else f"{kind} {identity}"
