"""The events themselves, page by page in the order of their time; an admin can take one back."""

from datetime import datetime
from zlib import crc32

import streamlit as st

from billing_core.dates import EARLIEST_DAY, LATEST_DAY, Period, utc_now
from billing_core.identity import Permission
from billing_core.metering import queries, withdrawal
from billing_core.metering.queries import EventRow
from billing_core.usage import activity
from billing_core.usage.exports import events as exports
from pages.ui import downloads, formats, reading_on, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.usage_sections import wording

_SIZE = 50
_KEY = "usage_events"
# To the millisecond: events of one user lie close to each other.
_TIME = "%Y-%m-%d %H:%M:%S.%f"
COLUMNS = [
    tables.computed("Time, UTC", lambda row: f"{row.occurred_at:{_TIME}}"[:-3], width=170),
    tables.text("Event", "id"),
    tables.text("Meter", "meter"),
    tables.computed("User", lambda row: wording.user(row.user)),
    tables.computed("Endpoint", lambda row: wording.endpoint(row.endpoint)),
    tables.quantity("Quantity", "quantity"),
    tables.computed("Response time", lambda row: wording.seconds(row.response_time), right=True),
    tables.badges(
        "State",
        lambda row: [*(["Late"] if row.late else []), *(["Withdrawn"] if row.withdrawn_at else [])],
        {"Late": "orange", "Withdrawn": "gray"},
    ),
]


@st.fragment
def draw(customer_id: int, days: Period) -> None:
    actor = signed_in()
    read = Reader(actor)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first_day = st.date_input(
            "From the day",
            value=days.start,
            min_value=days.start,
            max_value=days.end,
            key=f"usage_events_from_{days.start}",
            required=True,
            width=170,
            format=formats.day_form(),
        )
        user = st.text_input("User", key="usage_events_user", placeholder="All users", width=220)
        if actor.may(Permission.EXPORT):
            with st.popover("As a file", icon=":material/download:"):
                _file(read, customer_id, days)
    asked = Period(first_day, days.end)
    of = (customer_id, asked, user.strip() or None)
    if why := read(exports.missing, customer_id, asked):
        st.info(md(formats.with_days(why)), icon=":material/inventory_2:")
    after: tuple[datetime, str] | None = reading_on.place(_KEY, of, None)
    rows = _page(read, *of, after)
    if not rows:
        _pages(of, rows)
        if not why:
            st.info("No event from that day on. Choose an earlier day, or all users.", icon=":material/filter_alt_off:")
        return
    columns = [*COLUMNS]
    if actor.may(Permission.USAGE_WRITE):
        columns.append(tables.button("Withdraw", _offer, opens=_ask, width=96))
    # A row that is ticked is ticked by its place, of these rows alone.
    shown = crc32(repr((of, after)).encode())
    tables.show(rows, columns, key=f"{_KEY}_{shown}", alt="Usage events in the order of their time")
    _pages(of, rows)
    chosen: EventRow | None = st.session_state.pop("usage_event", None)
    if chosen is not None:
        _withdraw(chosen)


def _file(read: Reader, customer_id: int, days: Period) -> None:
    """Of any days, all users'; those of the month are proposed."""
    with st.container(horizontal=True):
        first_day, last_day = (
            st.date_input(
                label,
                proposed,
                min_value=EARLIEST_DAY,
                max_value=LATEST_DAY,
                key=f"usage_file_{label}_{days.start}",
                required=True,
                width=150,
                format=formats.day_form(),
            )
            for label, proposed in (("First day", days.start), ("Last day", days.end))
        )
    if first_day > last_day:
        st.error("The first day lies after the last one", icon=":material/error:")
        return
    if why := read(exports.missing, customer_id, Period(first_day, last_day)):
        st.warning(f"{md(formats.with_days(why))}.", icon=":material/inventory_2:")
        return
    of = {"customer_id": customer_id, "start_date": first_day, "end_date": last_day}
    with st.container(horizontal=True):
        for name in ("csv", "ndjson"):
            address = downloads.address(f"usage-events.{name}", **of)
            st.link_button(f"Events as {name.upper()}", address, icon=":material/download:")
    st.caption("NDJSON is exact: `docs/recompute_invoice.py` recomputes bills from it. CSV is for spreadsheets.")


def _page(
    read: Reader, customer_id: int, days: Period, user: str | None, after: tuple[datetime, str] | None
) -> list[EventRow]:
    first, last = activity.window(read.plain(activity.billing_zone, customer_id), days)
    return read(queries.events, customer_id, start=first, end=last, user=user, after_event=after, limit=_SIZE)


def _pages(of: object, rows: list[EventRow]) -> None:
    following = (rows[-1].occurred_at, rows[-1].id) if len(rows) == _SIZE else None
    with st.container(horizontal=True):
        reading_on.buttons(_KEY, of, following=following, onward=f"Next {_SIZE}")


def _offer(row: EventRow) -> str | None:
    return None if row.withdrawn_at else "Withdraw"


def _ask(row: EventRow) -> None:
    st.session_state["usage_event"] = row


@st.dialog("Withdraw an event", icon=":material/undo:")
def _withdraw(event: EventRow) -> None:
    actor = signed_in()
    st.markdown(
        f"The event **{md(event.id)}** of {md(wording.user(event.user))} counts nowhere any more, and its id stays "
        "taken. This cannot be undone. Where its period is billed already, it becomes a late item, and is credited."
    )
    reason = st.text_input("Reason", key="withdraw_reason", max_chars=500, required=True, placeholder="Such as: a test")
    if st.button("Withdraw", type="primary", icon=":material/undo:", key="do_withdraw"):
        with attempt(f"Withdrew the event {event.id}") as session:
            withdrawal.withdraw(session, actor, event.customer_id, event.id, reason=reason, now=utc_now())
