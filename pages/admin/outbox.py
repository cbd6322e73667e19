"""The outbox: every mail and every notice that is to be sent, was sent, or could not be."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Permission
from billing_core.outbox import queries, service
from billing_core.outbox.models import MessageState
from billing_core.outbox.queries import MessageFilter, MessageRow
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from billing_core.settings import settings
from pages.outbox_sections import message
from pages.outbox_sections.wording import TOPICS, delivery_columns, to_whom, topic
from pages.ui import context, formats, messages, opened, tables
from pages.ui.inputs import filters
from pages.ui.mail_words import STATES
from pages.ui.reads import Reader

actor = context.require(Permission.OUTBOX_READ)
read = Reader(actor)
zone = read.company.time_zone
# SQLite takes the ids of so many at once; a click again releases the rest.
MOST_AT_ONCE = 500


def open_row(row: MessageRow) -> None:
    st.query_params["message"] = str(row.id)


st.title("Outbox", anchor=False)
st.caption(
    "Every mail and every notice to a payment service is stored here together with the change it is about, and is sent "
    "from here: nothing is lost."
)

with context.reading() as session:
    counts = queries.counts(session, actor)
    paused = pausing.paused(session)
held_back = counts.get(MessageState.HELD_BACK, 0)

if Queue.MAILS in paused:
    st.warning("**Mails are paused: none leaves.** An administrator resumes them on *Jobs*.", icon=":material/pause:")
if not settings().sends_mails:
    st.warning(
        "**No mail server is set up: no mail is sent.** Mails are kept here, where they can be read and downloaded. "
        "Set `BILLING_SMTP_URL`, such as `smtp://user:password@mail.example.com:587?starttls=1`, and restart the "
        "product. What was kept until then leaves only when somebody sends it here.",
        icon=":material/unsubscribe:",
    )
elif held_back:
    with st.container(border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(
            f":material/pause_circle: {formats.counted(held_back, 'mail')} kept while no mail server was set up: "
            f"nobody has got {'it' if held_back == 1 else 'them'}.",
            width="content",
        )
        if actor.may(Permission.INVOICE_SEND) and st.button(
            f"Send {formats.count(min(held_back, MOST_AT_ONCE))}",
            icon=":material/send:",
            key="release_all",
            help="They leave now. Check first that each is still wanted. Reminders of what is paid, and those of "
            "more than a day ago, stay here: remind anew from *Invoices*.",
        ):
            with context.transaction() as session:
                waiting = queries.page(
                    session, actor, MessageFilter(state=(MessageState.HELD_BACK,)), limit=MOST_AT_ONCE
                )
                released = service.release(session, actor, [row.id for row in waiting], now=utc_now())
            messages.say(f"Being sent now: {formats.counted(released, 'mail')}.", icon=":material/send:")
            st.rerun()

if chosen := opened.identity("message", "message", digits=opened.LONG_ID_DIGITS):
    message.draw(read, actor, chosen, zone)

with filters.row():
    state = filters.choice(
        "State",
        [one.value for one in STATES],
        key="state",
        page_key="outbox_page",
        # Without their numbers, which would be part of the address that a colleague is sent.
        names={one.value: label for one, (label, _) in STATES.items()},
    )
    kind = filters.choice("About", list(TOPICS), key="about", page_key="outbox_page", names=TOPICS)
    text = filters.search("Search", key="q", page_key="outbox_page", placeholder="Address or subject")
message_filter = MessageFilter(state=(MessageState(state),) if state else (), topic=(kind,) if kind else (), text=text)

# Not from memory: messages change without anybody's doing.
with context.reading() as session:
    total = queries.count(session, actor, message_filter)
if total == 0:
    if counts:
        st.info("Nothing matches these filters. Clear one of them.", icon=":material/filter_alt_off:")
    else:
        st.info("There are no messages yet. Send an invoice, and its mail appears here.", icon=":material/outbox:")
    st.stop()
st.caption(
    " · ".join(f"{formats.count(counts[one])} {label.lower()}" for one, (label, _) in STATES.items() if counts.get(one))
)
skipped = tables.pager(total, key="outbox_page", noun="message")
with context.reading() as session:
    rows = queries.page(session, actor, message_filter, limit=tables.PAGE_SIZE, offset=skipped)
tables.show(
    rows,
    [
        tables.badge("State", lambda row: STATES[row.state][0], dict(STATES.values())),
        tables.computed("To", to_whom),
        tables.text("Subject", "title"),
        tables.computed("About", lambda row: topic(row.topic)),
        tables.instant("Queued", "created_at", zone),
        *delivery_columns(zone),
    ],
    key="outbox",
    alt="Messages, the newest first",
    opens=open_row,
)
st.caption("Click a message to read it.")
