"""Copying one customer's card to many others: whom, from when on, and what would change, before it does."""

from datetime import date

import streamlit as st

from billing_core.dates import utc_now
from billing_core.errors import Conflict, Invalid
from billing_core.identity import Actor
from billing_core.rating import copying
from billing_core.rating.copying import CopiedRate, Copying, Own, Request, Whom
from pages.rate_card_sections import picker
from pages.ui import formats, messages, tables
from pages.ui.context import transaction
from pages.ui.reads import Reader
from pages.ui.text import md

WHOM = {
    Whom.WITHOUT: "All in its currency who have no rates",
    Whom.ALL: "All others in its currency",
    Whom.CHOSEN: "These",
}
OWN = {
    Own.KEEP: "Keep them: such a rate is not copied to this customer",
    Own.END: "End them on the day before; those that begin later are withdrawn",
}
EFFECTS = {
    "new": "New",
    "kept": "Keeps its own",
    "same": "Has just this",
    "ended": "New; its own ends",
    "withdrawn": "New; its own is withdrawn",
}
COLUMNS = [
    tables.text("Customer", "customer_name", width=200),
    tables.text("Service", "service_name"),
    tables.computed("What happens", lambda row: EFFECTS[row.effect]),
    tables.computed("Its own rate", lambda row: _own_days(row)),
]


def draw(read: Reader, actor: Actor, customer_id: int, day: date) -> None:
    request = _request(read, customer_id, day)
    if request.whom is Whom.CHOSEN and not request.customer_ids:
        return
    try:
        would = read(copying.rehearse, request)
    except (Conflict, Invalid) as refusal:
        st.error(md(formats.with_days(str(refusal))), icon=":material/error:")
        return
    _preview(would)
    if not would.new:
        return
    if st.button(
        f"Copy to {formats.counted(would.customers, 'customer')}", icon=":material/content_copy:", key="copy_to_many"
    ):
        with transaction() as session:
            done = copying.copy(session, actor, request, now=utc_now())
        messages.say(f"Copied {formats.counted(done.new, 'rate')} to {formats.counted(done.customers, 'customer')}")
        st.rerun()


def _request(read: Reader, customer_id: int, day: date) -> Request:
    whom = st.radio("To whom", list(WHOM), format_func=WHOM.__getitem__, key="copy_whom")
    chosen: list[int] = []
    if whom is Whom.CHOSEN:
        text = st.text_input(
            "Find customers", key="copy_to_search", type="search", placeholder="Name, key, e-mail or city", width=280
        )
        names = picker.matches(read, text or "", but=customer_id)
        # Those who were chosen before stay on offer, whatever is searched for next.
        kept = st.session_state.setdefault("copy_to_names", {})
        kept |= {one: name for one, name in names.items() if one not in kept}
        chosen = st.multiselect(
            "Copy to",
            [one for one in kept if one != customer_id],
            format_func=lambda identity: kept.get(identity, str(identity)),
            key="copy_to",
            placeholder="Customers with the same currency",
        )
    starts_on = st.date_input("From", value=day, key="copy_to_from", width=170, format=formats.day_form())
    own = st.radio(
        "Rates that they have already for these services and days",
        list(OWN),
        format_func=OWN.__getitem__,
        key="copy_own",
    )
    return Request(customer_id, starts_on if isinstance(starts_on, date) else day, whom, own, tuple(chosen))


def _preview(would: Copying) -> None:
    counts = (
        ("Customers", would.customers),
        ("New rates", would.new),
        ("Kept", would.kept),
        ("The same already", would.same),
        ("Ended", would.ended),
        ("Withdrawn", would.withdrawn),
    )
    with st.container(horizontal=True, gap="large"):
        for label, value in counts:
            st.metric(label, formats.count(value), width="content")
    if not would.rows:
        st.info("Nobody is meant by this.", icon=":material/info:")
        return
    tables.show(would.rows, COLUMNS, key="copy_rows", alt="What copying would change, customer by customer")
    if len(would.rows) == copying.SHOWN:
        st.caption(f"The first {formats.count(copying.SHOWN)}.")


def _own_days(row: CopiedRate) -> str:
    if row.own_from is None:
        return formats.NOTHING
    end = f"to {formats.day(row.own_to)}" if row.own_to else "on"
    return f"From {formats.day(row.own_from)} {end}"
