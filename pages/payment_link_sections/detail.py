"""One payment link: what it asks for, how to hand it over, what can be done about it, and what was told of it."""

import streamlit as st

from billing_core import runtime
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.online_payments import queries
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links.queries import LinkRow
from billing_core.online_payments.queries import EventFilter, EventRow
from pages.payment_link_sections import link as payment_link
from pages.ui import context, formats, opened, tables
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.webhook_sections.event import STATES

_MOST_EVENTS = 50


def draw(read: Reader, actor: Actor, identity: str) -> None:
    link_id = opened.parsed(identity)
    if link_id is None:
        st.error(f"There is no payment link “{md(identity)}”", icon=":material/error:")
        return
    try:
        with runtime.sessions()() as session:
            link = links.one(session, actor, link_id)
    except BillingError as error:
        context.refused(error)
        return
    with st.container(border=True):
        document = f"Invoice {link.invoice_number}" if link.invoice_number else "Draft"
        opened.heading(md(f"{document}, {formats.money(link.amount_minor, link.currency)}"), "link")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(
                "invoice_editor.py",
                label="Open the invoice",
                icon=":material/request_quote:",
                query_params={"invoice": str(link.invoice_id)},
            )
            st.page_link(
                "customers.py",
                label=md(link.customer_name),
                icon=":material/groups:",
                query_params={"customer": str(link.customer_id)},
            )
        payment_link.draw(read, actor, link)
        if actor.may(Permission.WEBHOOK_READ):
            _events(actor, link, read.company.time_zone)


def _events(actor: Actor, link: LinkRow, zone: str) -> None:
    """What the payment service told of its invoice, and what became of it."""
    with context.reading() as session:
        events = queries.events(session, actor, EventFilter(invoice_id=link.invoice_id), limit=_MOST_EVENTS)
    if not events:
        return
    with st.expander(f"Events from the payment service ({formats.count(len(events))})"):
        tables.show(
            events,
            [
                tables.badge("State", lambda row: STATES[row.state][0], dict(STATES.values())),
                tables.text("Type", "type"),
                tables.instant("Received", "received_at", zone),
                tables.computed(
                    "What became of it", lambda row: formats.with_days(row.last_error or row.outcome), width="large"
                ),
            ],
            key="link_events",
            alt="Events about this invoice, the newest first",
            opens=_open_event,
        )


def _open_event(row: EventRow) -> None:
    st.switch_page("admin/incoming_webhooks.py", query_params={"event": str(row.id)})
