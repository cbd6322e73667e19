"""One rate: its terms in words, its versions, and, for those who may, changing or ending it."""

from datetime import date

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.rating import queries, service
from billing_core.rating.queries import RateRow
from billing_core.reports import queries as reports
from billing_core.reports.queries import ReportFilter
from billing_core.reports.wording import cost_type_words
from pages.rate_card_sections import terms, wording
from pages.ui import formats, messages, opened, tables
from pages.ui.context import transaction
from pages.ui.reads import Reader
from pages.ui.text import md

EARLIEST = date(1990, 1, 1)
VERSIONS = [
    tables.computed("Valid", wording.validity),
    tables.computed("Price", wording.price, right=True),
    tables.currency_of(),
    tables.computed("Tiers", wording.tiers, width="medium"),
    tables.money("Minimum", "minimum_minor"),
    tables.money("Maximum", "maximum_minor"),
    tables.computed("SKUs", wording.skus, width="small"),
    tables.computed("When", wording.condition, width="medium"),
    tables.day("Entered", "created_at"),
    tables.day("Withdrawn", "withdrawn_at", help="No longer applied: only the reports that used it keep it"),
]


# (rate id, last day, withdrawal) as they were when this browser opened the rate.
_OPENED = "opened_rate"


def open_(rate_id: int | str) -> None:
    st.query_params["rate"] = str(rate_id)
    st.session_state.pop(_OPENED, None)


def close() -> None:
    st.query_params.pop("rate", None)
    st.session_state.pop(_OPENED, None)


def draw(read: Reader, actor: Actor, customer_id: int, named: str) -> None:
    st.button("The whole card", icon=":material/arrow_back:", type="tertiary", on_click=close, key="close_rate")
    if named == "new":
        _add(read, actor, customer_id)
        return
    rate_id = opened.parsed(named)
    if rate_id is None:
        st.error("There is no such rate.", icon=":material/error:")
        return
    row = read(queries.one, rate_id)
    if row.customer_id != customer_id:
        st.error("This rate belongs to another customer.", icon=":material/error:")
        return
    st.subheader(md(row.service_name), anchor=False)
    st.markdown(f"Charged {md(cost_type_words(row.cost_type))}. **When:** {md(wording.condition(row))}.")
    versions = read(queries.history, customer_id, row.service_id)
    tables.show(
        versions,
        VERSIONS,
        key=f"versions_{row.id}",
        alt=f"Versions of the rate of {row.service_name}",
        opens=lambda version: open_(version.id),
    )
    if not actor.may(Permission.RATE_WRITE):
        return
    if _changed_meanwhile(row):
        return
    if row.withdrawn_at is not None:
        st.info(
            f"This version was withdrawn on {formats.day(row.withdrawn_at.date())}. It is no longer applied; reports "
            "made with it keep it.",
            icon=":material/history:",
        )
        return
    st.caption(f"Below: the version {wording.validity(row)}. Click another version to open it.")
    changing, ending = st.tabs(["Change from a day on", "End or remove"])
    with changing:
        _change(read, actor, row)
    with ending:
        _end(read, actor, row)


def _changed_meanwhile(row: RateRow) -> bool:
    """Whether somebody ended, changed or withdrew the rate while it was open here; says so instead of its fields.
    Without it, what was typed for the rate as it was would be saved into what is left of it.
    """
    now = (row.id, row.valid_to, row.withdrawn_at)
    opened = st.session_state.setdefault(_OPENED, now)
    if opened == now:
        return False
    if opened[0] != row.id:
        st.session_state[_OPENED] = now
        return False
    st.warning(
        "Somebody has changed this rate since you opened it. Nothing that you typed is saved: look at its versions "
        "above first.",
        icon=":material/sync_problem:",
    )
    st.button("Continue with this version", key="reopen_rate", on_click=open_, args=(row.id,))
    return True


def _add(read: Reader, actor: Actor, customer_id: int) -> None:
    if not actor.may(Permission.RATE_WRITE):
        st.error("Your role does not allow changing rates.", icon=":material/block:")
        return
    known = {one.id: one for one in read(queries.services)}
    if not known:
        st.info("There are no services yet: create one under “Services” first.", icon=":material/add_box:")
        return
    st.subheader("Add a rate", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        service_id = st.selectbox(
            "Service",
            list(known),
            format_func=lambda one: f"{known[one].name} ({cost_type_words(known[one].cost_type)})",
            key="new_service",
            width=320,
        )
        starts_on = st.date_input(
            "First day",
            value=read.today.replace(day=1),
            min_value=EARLIEST,
            key="new_from",
            width=170,
            format=formats.day_form(),
        )
        last_day = st.date_input(
            "Last day",
            value=None,
            min_value=EARLIEST,
            key="new_to",
            help="Empty: without an end",
            width=170,
            format=formats.day_form(),
        )
    _warn_of_reports(read, customer_id, starts_on)
    # The same fields whatever the service: a price typed while the page still draws for another one is not lost.
    currency = read(customers.one, customer_id).currency
    pricing = terms.draw(f"new_{customer_id}", None, known[service_id].cost_type, currency)
    if st.button("Add the rate", type="primary", icon=":material/add:", key="save_new_rate"):
        with transaction() as session:
            service.add_rate(
                session,
                actor,
                customer_id,
                service_id,
                pricing(),
                valid_from=starts_on,
                valid_to=last_day,
                now=utc_now(),
            )
        messages.say("Added the rate")
        close()
        st.rerun()


def _change(read: Reader, actor: Actor, row: RateRow) -> None:
    first_possible = max(row.valid_from, EARLIEST)
    usual = min(max(read.today, first_possible), row.valid_to or date.max)
    starts_on = st.date_input(
        "The change starts on",
        value=usual,
        min_value=first_possible,
        max_value=row.valid_to or date(2199, 12, 31),
        key=f"change_from_{row.id}",
        width=200,
        help="The current terms apply until the day before. If it starts on their first day, it replaces them.",
        format=formats.day_form(),
    )
    if starts_on == row.valid_from:
        st.caption(
            "Corrects the price from its first day: the current terms are taken off the card. Reports already made "
            "keep the old price; generate them again to see the difference."
        )
    _warn_of_reports(read, row.customer_id, starts_on)
    pricing = terms.draw(f"rate_{row.id}", row, row.cost_type, row.currency)
    if st.button("Save the change", type="primary", icon=":material/save:", key="save_rate"):
        with transaction() as session:
            made = service.change_rate(session, actor, row.id, pricing(), starts_on=starts_on, now=utc_now()).id
        messages.say(f"The new terms apply from {formats.day(starts_on)}")
        open_(made)
        st.rerun()


def _end(read: Reader, actor: Actor, row: RateRow) -> None:
    with st.form(f"end_{row.id}", border=False):
        last_day = st.date_input(
            "Last day",
            # A rate that is still to come cannot end before its first day.
            value=row.valid_to or max(read.today, row.valid_from),
            min_value=row.valid_from,
            key=f"end_day_{row.id}",
            help="Empty: without an end",
            width=200,
            format=formats.day_form(),
        )
        ended = st.form_submit_button("Set the last day", icon=":material/event_busy:", key="end_rate")
    if ended:
        with transaction() as session:
            service.end_rate(session, actor, row.id, last_day=last_day, now=utc_now())
        messages.say("Set the last day")
        open_(row.id)
        st.rerun()
    st.caption(
        "Removing takes the rate off the card from its first day. Reports already made keep its price, and it stays "
        "among the versions as withdrawn."
    )
    if st.button("Remove this rate", icon=":material/delete:", key="remove_rate"):
        with transaction() as session:
            service.remove_rate(session, actor, row.id, now=utc_now())
        messages.say("Removed the rate")
        close()
        st.rerun()


def _warn_of_reports(read: Reader, customer_id: int, starts_on: date) -> None:
    """Old reports keep what they used: say so where a change reaches back into their days."""
    if not read.actor.may(Permission.REPORT_READ):
        return
    newest = read(reports.page, ReportFilter(customer_id=customer_id, order_by="-end_date"), limit=1)
    if newest and newest[0].period.end >= starts_on:
        st.warning(
            f"Reports up to {formats.day(newest[0].period.end)} were made with the rates as they were. They stay as "
            "they are; generate those periods again to see and bill the difference.",
            icon=":material/history:",
        )
