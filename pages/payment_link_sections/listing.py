"""The payment links that match, filtered, sorted and paged in SQL."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import LinkState, Mode
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.links.queries import LinkFilter, LinkRow, StateCount
from pages.payment_link_sections.wording import COLORS, STATES, age, happened, state
from pages.ui import collection_mode, context, formats, tables
from pages.ui.inputs import filters
from pages.ui.reads import Reader

PAGE_KEY, SORT_KEY = "links_page", "links_sort"


def draw(read: Reader, actor: Actor) -> None:
    columns = _columns(read.company.time_zone)
    link_filter = _filters(read, actor, columns)
    # Not from memory: customers open and pay links without anybody's doing here.
    with context.reading() as session:
        total = links.count(session, actor, link_filter)
        counts = links.counts(session, actor, link_filter)
    if total == 0:
        _nothing(actor, counts)
        return
    _sums(counts, link_filter)
    skipped = tables.pager(total, key=PAGE_KEY, noun="link", sorts_whole=True)
    with context.reading() as session:
        rows = links.page(session, actor, link_filter, limit=tables.PAGE_SIZE, offset=skipped)
    tables.show(rows, columns, key="links", alt="Payment links", opens=_open, order_key=SORT_KEY)
    st.caption("Click a link to see and share it, a column's heading to sort by it.")


def _columns(zone: str) -> list[tables.Column]:
    now = utc_now()
    return [
        tables.badge("State", state, COLORS),
        tables.computed("Invoice", lambda row: row.invoice_number or "Draft"),
        tables.text("Customer", "customer_name", order="customer_name"),
        tables.money("Amount", "amount_minor", order="amount"),
        tables.currency_of(),
        tables.computed("Age", lambda row: age(row, now)),
        tables.count("Opened", "clicks", order="clicks", help="How often the customer followed our link"),
        tables.instant("Valid until", "expires_at", zone, order="expires_at"),
        tables.computed("What happened", happened, width="medium"),
    ]


def _filters(read: Reader, actor: Actor, columns: list[tables.Column]) -> LinkFilter:
    with filters.row():
        text = filters.search(
            "Search", key="links_text", page_key=PAGE_KEY, placeholder="Number, customer, reference, amount"
        )
        states = {one.value: label for one, (label, _) in STATES.items()}
        chosen = filters.choice(
            "State", list(states), key="links_state", page_key=PAGE_KEY, names=states, every="All states"
        )
        modes = {one.value: label for one, label in collection_mode.NAMES.items()}
        mode = filters.choice("Mode", list(modes), key="links_mode", page_key=PAGE_KEY, names=modes, every="All modes")
        order = filters.order(
            {"-created_at": "Newest first", "created_at": "Oldest first", **tables.orderings(columns)},
            "-created_at",
            key=SORT_KEY,
            page_key=PAGE_KEY,
        )
        filters.saved_views(read, actor, "payment_links", PAGE_KEY)
    return LinkFilter(
        state=(LinkState(chosen),) if chosen else (),
        mode=(Mode(mode),) if mode else (),
        text=text,
        order_by=order,
    )


def _sums(counts: list[StateCount], link_filter: LinkFilter) -> None:
    """How many of each state there are, and what the active ones ask for."""
    of_state = {one: sum(row.links for row in counts if row.state is one) for one in STATES}
    parts = [f"{formats.count(number)} {STATES[one][0].lower()}" for one, number in of_state.items() if number]
    asked_for = [
        formats.money(row.amount_minor, row.currency)
        for row in counts
        if row.state is LinkState.ACTIVE and (not link_filter.state or LinkState.ACTIVE in link_filter.state)
    ]
    st.caption(" · ".join(parts) + (f". The active ones ask for {' · '.join(asked_for)}." if asked_for else "."))


def _nothing(actor: Actor, counts: list[StateCount]) -> None:
    if counts:
        st.info("No link matches these filters. Clear one of them.", icon=":material/filter_alt_off:")
        return
    with context.reading() as session:
        any_at_all = links.count(session, actor, LinkFilter())
    if any_at_all:
        st.info("No link matches these filters. Clear one of them.", icon=":material/filter_alt_off:")
    elif actor.may(Permission.LINK_WRITE):
        st.info(
            "No invoice has been made payable online yet. Start with “Create payment link”.", icon=":material/link:"
        )
    else:
        st.info("No invoice can be paid online yet. An administrator makes it possible.", icon=":material/link:")


def _open(row: LinkRow) -> None:
    st.query_params["link"] = str(row.id)
