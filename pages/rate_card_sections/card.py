"""One customer's rates on a day."""

from datetime import date, timedelta
from functools import partial

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.rating import queries, service
from billing_core.rating.queries import RateRow
from billing_core.reports.wording import cost_type_words
from pages.rate_card_sections import copying, picker, rate, wording
from pages.ui import formats, messages, tables
from pages.ui.context import transaction
from pages.ui.reads import Reader

COLUMNS = [
    tables.text("Service", "service_name"),
    tables.computed("Cost type", lambda row: formats.sentence(cost_type_words(row.cost_type))),
    tables.computed("Price", wording.price, right=True),
    tables.currency_of(),
    tables.computed("Tiers", wording.tiers, width=250),
    tables.computed("When", wording.condition, width=250),
    tables.money("Minimum", "minimum_minor"),
    tables.money("Maximum", "maximum_minor"),
    tables.computed("SKUs", wording.skus, width="small"),
    tables.computed("Valid", wording.validity),
]


def draw(read: Reader, actor: Actor, customer_id: int) -> None:
    may_write = actor.may(Permission.RATE_WRITE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        day = st.date_input(
            "As of",
            value=read.today,
            min_value=date(1990, 1, 1),
            max_value=read.today + timedelta(days=3_650),
            key="card_day",
            width=170,
            help="The rates in effect on that day. Each order is rated with those of its own day.",
            format=formats.day_form(),
        )
        if may_write:
            st.button("Add a rate", icon=":material/add:", key="add_rate", on_click=partial(rate.open_, "new"))
    day = day if isinstance(day, date) else read.today
    rows = read(queries.card_on, customer_id, day)
    if rows:
        tables.show(
            rows, COLUMNS, key=f"card_{customer_id}_{day}", alt=f"Rates on {day}", opens=lambda row: rate.open_(row.id)
        )
        st.caption("Click a row for its versions" + (" and to change it." if may_write else "."))
    else:
        st.info(f"No rates are in effect on {formats.day(day)}.", icon=":material/price_change:")
    _others(read, customer_id, rows)
    if may_write:
        with st.expander("Copy the card of another customer", icon=":material/content_copy:"):
            _copy(read, actor, customer_id, day)
        # Not before it is asked for: what would change is looked up among all customers.
        if rows and st.toggle("Copy this card to others", key="copy_to_others"):
            with st.container(border=True):
                copying.draw(read, actor, customer_id, day)


def _others(read: Reader, customer_id: int, shown: list[RateRow]) -> None:
    """Rates of other days would be out of sight."""
    ids = {row.id for row in shown}
    rows = [row for row in read(queries.versions, customer_id) if row.id not in ids]
    if rows:
        with st.expander(f"{formats.count(len(rows))} more from other days", icon=":material/history:"):
            tables.show(
                rows,
                COLUMNS,
                key=f"other_rates_{customer_id}",
                alt="Rates of other days",
                opens=lambda row: rate.open_(row.id),
            )


def _copy(read: Reader, actor: Actor, customer_id: int, day: date) -> None:
    text = st.text_input(
        "Find the other customer",
        key="copy_search",
        type="search",
        placeholder="Name, key, e-mail or city",
        width=280,
    )
    names = picker.matches(read, text or "", but=customer_id)
    with st.form(f"copy_{customer_id}", border=False):
        source = st.selectbox(
            "Copy from",
            list(names),
            index=None,
            format_func=lambda identity: names.get(identity, str(identity)),
            key="copy_source",
            placeholder="Customer with the same currency",
        )
        starts_on = st.date_input("From", value=day, key="copy_from", width=170, format=formats.day_form())
        st.caption("Copies the rates in effect on that day, with their tiers, SKUs and conditions.")
        copied = st.form_submit_button("Copy the card", icon=":material/content_copy:", key="copy_card")
    if copied and source is None:
        st.error("Choose the customer to copy from.", icon=":material/error:")
    elif copied and source is not None and isinstance(starts_on, date):
        with transaction() as session:
            made = service.copy_card(
                session,
                actor,
                from_customer_id=source,
                to_customer_id=customer_id,
                starts_on=starts_on,
                now=utc_now(),
            )
        messages.say(f"Copied {formats.count(len(made))} rates")
        st.rerun()
