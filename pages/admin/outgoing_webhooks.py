"""Outgoing webhooks: which programs of others are told what happens here, and what they were told."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Permission
from billing_core.outgoing_webhooks import queries, service
from billing_core.outgoing_webhooks.models import WebhookEndpoint
from billing_core.outgoing_webhooks.service import EndpointDetails
from billing_core.settings import settings
from pages.admin_sections.webhook_endpoint import EVENTS, draw, named_events
from pages.ui import context, formats, messages, opened, tables
from pages.ui.reads import Reader

actor = context.require(Permission.WEBHOOK_ENDPOINT_WRITE)
zone = Reader(actor).company.time_zone
private_allowed = settings().allow_private_webhooks


def open_row(row: WebhookEndpoint) -> None:
    st.query_params["endpoint"] = str(row.id)


st.title("Outgoing webhooks", anchor=False)
st.caption(
    "Other programs can be notified when something happens here: each event is sent to their endpoint, signed, and "
    "retried for a day until it is accepted."
)

with st.expander("New endpoint", icon=":material/add_link:"), st.form("register", border=False, width=640):
    url = st.text_input(
        "Address", key="endpoint_url", placeholder="https://erp.example.com/hooks/billing", max_chars=1000
    )
    events = st.multiselect(
        "Events", [*EVENTS], format_func=EVENTS.__getitem__, key="endpoint_events", placeholder="All of them"
    )
    description = st.text_input("What it is for", key="endpoint_description", max_chars=service.LONGEST_DESCRIPTION)
    if not private_allowed:
        st.caption("Only public addresses that begin with https://. `BILLING_ALLOW_PRIVATE_WEBHOOKS` lifts that.")
    added = st.form_submit_button("Create the endpoint", type="primary", key="endpoint_add")
if added:
    with context.transaction() as session:
        details = EndpointDetails(url, tuple(events), description)
        endpoint = service.register(session, actor, details, private_allowed=private_allowed, now=utc_now())
        st.query_params["endpoint"] = str(endpoint.id)
    messages.say("Created. Copy the signing secret for the program that receives the events.")
    st.rerun()

# Links kept from before name it so.
if former := st.query_params.pop("subscriber", None):
    st.query_params["endpoint"] = former
if chosen := opened.identity("endpoint", "endpoint"):
    draw(actor, chosen, zone, private_allowed=private_allowed)

with context.reading() as session:
    rows = service.every(session, actor)
    failed = queries.failed_counts(session, actor)
if not rows:
    st.info("No program receives events yet. Create an endpoint with “New endpoint”.", icon=":material/webhook:")
    st.stop()
tables.show(
    rows,
    [
        tables.text("Address", "url"),
        tables.computed("Events", named_events),
        tables.text("What it is for", "description"),
        tables.computed("Failed", lambda row: formats.count(failed[row.id]) if row.id in failed else ""),
        tables.instant("Created", "created_at", zone),
        tables.text("Created by", "created_by"),
    ],
    key="endpoints",
    alt="The endpoints that receive events",
    opens=open_row,
)
st.caption("Click an endpoint to see its signing secret and what was sent to it.")
