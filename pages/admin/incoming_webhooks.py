"""Incoming webhooks: what the payment service has told us, what became of each event, and processing one again."""

from datetime import timedelta

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Permission
from billing_core.online_payments import queries
from billing_core.online_payments.models import WebhookState
from billing_core.online_payments.queries import COUNTED, EventFilter, EventRow
from billing_core.online_payments.webhooks import events
from pages.ui import address, collection_mode, context, formats, tables
from pages.ui.inputs import filters
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.webhook_sections import event
from pages.webhook_sections.event import STATES

PAGE_KEY = "events_page"
REASONS = {
    "missing": "without a signature",
    "wrong": "with a wrong signature",
    "old": "with a signature that is too old",
    "early": "with a signature from the future",
    "malformed": "with content that is not an event",
    "too large": "with content that is too large for an event",
}
_LOOKS_BACK = timedelta(days=30)

actor = context.require(Permission.WEBHOOK_READ)
read = Reader(actor)
zone = read.company.time_zone


def opened(row: EventRow) -> None:
    st.query_params["event"] = str(row.id)


def counted(number: int) -> str:
    return f"{formats.count(COUNTED)} or more" if number >= COUNTED else formats.count(number)


with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Incoming webhooks", anchor=False, width="content")
    collection_mode.mark()

# Not from memory: events come and are applied without anybody's doing here.
with context.reading() as session:
    counts = queries.event_counts(session, actor)
    last = queries.last_received_at(session, actor)
    refused = queries.refused(session, actor, since=(utc_now() - _LOOKS_BACK).date())
st.caption(
    "Every event that the payment service sends is stored before it is answered, and applied in the background, once. "
    + (f"The last one arrived on {md(formats.instant(last, zone))}." if last else "None has arrived yet.")
)
if failed := counts.get(WebhookState.FAILED, 0):
    st.error(
        f"{counted(failed)} could not be applied and are not tried again. Look at the error, fix what it names, "
        "and process the event again.",
        icon=":material/error:",
    )
if refused:
    requests = sum(times for _, _, times in refused)
    with st.expander(f"{formats.counted(requests, 'request')} refused in the last {_LOOKS_BACK.days} days"):
        st.caption(
            "None of them was kept. A wrong signature means that Stripe has another webhook secret than we do, or that "
            "somebody else is trying."
        )
        tables.show(
            refused,
            [
                tables.computed("Day (UTC)", lambda row: formats.day(row[0])),
                tables.computed("Why", lambda row: formats.sentence(REASONS.get(row[1], row[1]))),
                tables.computed("Requests", lambda row: formats.count(row[2]), right=True),
            ],
            key="refused",
            alt="Refused requests by day and reason",
        )

if chosen := address.one("event", "event"):
    event.draw(actor, chosen, zone)

with filters.row():
    # Without their numbers, which would be part of the address that a colleague is sent.
    states = {one.value: label for one, (label, _) in STATES.items()}
    state = filters.choice("State", list(states), key="events_state", page_key=PAGE_KEY, names=states)
    kind = filters.choice("Type", sorted(events.HANDLED), key="events_type", page_key=PAGE_KEY, every="All types")
    text = filters.search("Search", key="events_text", page_key=PAGE_KEY, placeholder="Id, error or content")
event_filter = EventFilter(state=(WebhookState(state),) if state else (), type=kind, text=text)

with context.reading() as session:
    total = queries.event_count(session, actor, event_filter)
if text and sum(counts.values()) > queries.SEARCHED_PAYLOADS:
    newest = formats.count(queries.SEARCHED_PAYLOADS)
    st.caption(f"Errors and contents are searched in the newest {newest} of these events, ids in all of them.")
if total == 0:
    if any(counts.values()):
        st.info("No event matches these filters. Clear one of them.", icon=":material/filter_alt_off:")
    else:
        st.info("No event has arrived yet. The first ones come with a payment by link.", icon=":material/webhook:")
    st.stop()
st.caption(
    " · ".join(f"{counted(counts[one])} {label.lower()}" for one, (label, _) in STATES.items() if counts.get(one))
    + (f". The newest {formats.count(COUNTED)} are listed." if total >= COUNTED else "")
)
skipped = tables.pager(total, key=PAGE_KEY, noun="event")
with context.reading() as session:
    rows = queries.events(session, actor, event_filter, limit=tables.PAGE_SIZE, offset=skipped)
tables.show(
    rows,
    [
        tables.badge("State", lambda row: STATES[row.state][0], dict(STATES.values())),
        tables.text("Type", "type"),
        tables.instant("Received", "received_at", zone),
        tables.computed("Invoice", lambda row: row.invoice_number or ""),
        tables.computed(
            "What became of it", lambda row: formats.with_days(row.last_error or row.outcome), width="large"
        ),
        tables.count("Attempts", "attempts"),
        tables.text("Event", "event_id"),
    ],
    key="events",
    alt="Events, the newest first",
    opens=opened,
)
st.caption("Click an event to read it.")
