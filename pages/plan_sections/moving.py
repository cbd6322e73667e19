"""Moving subscriptions to another version: what is asked for, what that comes to, and doing it as it was shown."""

from datetime import timedelta
from typing import Final

import streamlit as st

from billing_core.dates import LATEST_DAY, utc_now
from billing_core.identity import Actor, Permission
from billing_core.plans.listing import VersionRow
from billing_core.settings import settings
from billing_core.subscriptions.moving import rehearsing, service
from billing_core.subscriptions.moving.asked import Asked
from billing_core.subscriptions.moving.candidates import LeftOut
from billing_core.subscriptions.moving.rehearsing import Difference, Rehearsal, Row
from pages.ui import downloads, formats, mail_words, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import bounced_addresses
from pages.ui.reads import Reader
from pages.ui.text import md

PAGE_KEY, STAYING_KEY = "to_move_page", "staying_page"
_REASONS: Final = {
    LeftOut.PAUSED: "It is paused",
    LeftOut.UNPAID: "It is unpaid",
    LeftOut.ENDING: "It ends with its period",
    LeftOut.ENDED: "Its last period is over by then, or by the other version",
    LeftOut.MOVING: "It is to be moved already",
    LeftOut.OTHER_PLAN: "A change to another plan waits",
    LeftOut.CURRENCY: "The version has no price in its currency",
    LeftOut.SEATS: "It has seats, which the version has not",
    LeftOut.ADD_ONS: "It has an add-on that the version has not",
    LeftOut.USAGE: "Another subscription bills this customer's usage, or is to",
}


def draw(read: Reader, actor: Actor, versions: list[VersionRow]) -> None:
    st.subheader("Move subscriptions to another version", anchor=False)
    notice_days = settings().move_notice_days
    asked = _fields(read, versions, notice_days)
    found = read(rehearsing.rehearse, asked, today=read.today, notice_days=notice_days)
    if not found.moved and not found.left_out:
        st.info("No subscription is on these versions.", icon=":material/info:")
        return
    if found.moved:
        _totals(found)
    with st.container(horizontal=True):
        label = f"Move {formats.counted(found.moved, 'subscription')}"
        if st.button(label, type="primary", icon=":material/move_up:", key="move_them", disabled=not found.moved):
            _confirm(found, notice_days)
        if actor.may(Permission.EXPORT):
            facts = {"plan": asked.plan_code, "version": asked.version, "older": asked.older}
            facts |= {"first_day": asked.first_day, "tells": asked.tells}
            st.link_button("As CSV", downloads.address("plan-move.csv", **facts), icon=":material/download:")
    _differences(found)
    _moved(read, found)
    _staying(read, found)


def _fields(read: Reader, versions: list[VersionRow], notice_days: int) -> Asked:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        numbers = [one.number for one in versions[:-1]]
        version = st.selectbox("To version", numbers, key="move_to", width=120)
        older = st.multiselect(
            "From versions",
            [one.number for one in versions if one.number < version],
            key=f"move_from_{version}",
            placeholder="All older ones",
            width=220,
        )
        earliest = read.today + timedelta(days=notice_days)
        first_day = st.date_input(
            "Periods from",
            earliest,
            min_value=earliest,
            max_value=LATEST_DAY,
            key="move_first_day",
            required=True,
            width=170,
            help=f"Each goes on with the version with its first period that begins on this day or later. At least "
            f"{notice_days} days of notice are given",
            format=formats.day_form(),
        )
        tells = st.toggle("Tell customers by mail", value=True, key="move_tells")
    return Asked(versions[0].code, version, first_day, tuple(sorted(older)), tells)


def _totals(found: Rehearsal) -> None:
    """Per currency: amounts of several are never added."""
    tables.show(
        found.sums,
        [
            tables.currency_of(),
            tables.count("Subscriptions", "moved"),
            tables.money("Before", "before_minor", help="Whole periods at full prices, without usage and tax"),
            tables.money("After", "after_minor"),
            tables.computed(
                "Difference", lambda row: formats.change(row.after_minor - row.before_minor, row.currency), right=True
            ),
        ],
        key="move_sums",
        alt="What the periods cost before and after, by currency",
    )


def _differences(found: Rehearsal) -> None:
    if not found.differences:
        return
    st.markdown("**How much more a period costs**")
    tables.show(
        found.differences,
        [
            tables.computed("Difference a period", _difference, right=True),
            tables.currency_of(),
            tables.count("Subscriptions", "moved"),
        ],
        key="move_differences",
        alt="Differences of the price of a period, the most frequent first",
    )
    if len(found.differences) == rehearsing.MOST_DIFFERENCES:
        st.caption("The most frequent ones.")


def _moved(read: Reader, found: Rehearsal) -> None:
    if not found.moved:
        return
    st.markdown("**Those that are moved**")
    skipped = tables.pager(found.moved, key=PAGE_KEY, noun="subscription", of=found.token)
    tables.show(
        read(rehearsing.page, found.asked, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.text("Customer", "customer_name"),
            tables.day("From", "begins_on", help="The first day of its first period by the other version"),
            tables.money("Before", "before_minor"),
            tables.money("After", "after_minor"),
            tables.computed("Difference", _more, right=True),
            tables.currency_of(),
            tables.count("Version", "version"),
            tables.computed("Mail to", lambda row: row.mail or formats.NOTHING),
            tables.text("Subscription", "public_id"),
        ],
        key=f"to_move_{skipped}",
        alt="Subscriptions that are moved",
    )


def _staying(read: Reader, found: Rehearsal) -> None:
    total = sum(found.left_out.values())
    if not total:
        return
    st.markdown("**Those that stay where they are**")
    told = [f"{md(_REASONS[reason])}: {formats.count(count)}" for reason, count in found.left_out.items()]
    st.caption(" · ".join(told))
    skipped = tables.pager(total, key=STAYING_KEY, noun="subscription", of=found.token)
    tables.show(
        read(rehearsing.page, found.asked, left_out=True, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.text("Customer", "customer_name"),
            tables.computed("Why", _reason, width="large"),
            tables.count("Version", "version"),
            tables.text("Subscription", "public_id"),
        ],
        key=f"staying_{skipped}",
        alt="Subscriptions that stay on their version, with the reason",
    )


def _difference(row: Difference) -> str:
    return formats.change(row.more_minor, row.currency)


def _more(row: Row) -> str:
    return formats.NOTHING if row.more_minor is None else formats.change(row.more_minor, row.currency)


def _reason(row: Row) -> str:
    return formats.NOTHING if row.left_out is None else _REASONS[row.left_out]


@st.dialog("Move the subscriptions", icon=":material/move_up:")
def _confirm(found: Rehearsal, notice_days: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    asked = found.asked
    st.markdown(
        f"{formats.counted(found.moved, 'subscription')} to **{md(found.plan_name)}** go on with version "
        f"{asked.version}, each with its first period that begins on {formats.day(asked.first_day)} or later."
    )
    for one in found.sums:
        before, after = (formats.money(minor, one.currency) for minor in (one.before_minor, one.after_minor))
        together = f"for a period of {formats.counted(one.moved, 'subscription')}, before tax and discounts"
        st.markdown(f"{md(before)} → **{md(after)}** {together}")
    if asked.tells:
        mail_words.warn_of_none()
        bounced_addresses.warn_of(rehearsing.bounced, asked)
    told = asked.tells and settings().sends_mails
    st.caption("Their customers are told by mail in a few minutes." if told else "Nobody is told: tell them yourself.")
    if st.button("Move them", type="primary", icon=":material/move_up:", key="do_move"):
        with attempt("The move is scheduled: it can be withdrawn until it has begun") as session:
            service.move(session, actor, asked, found.token, today=read.today, notice_days=notice_days, now=utc_now())
