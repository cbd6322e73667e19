"""Late items: what came for a billed period, or was taken back from one, what each is worth, and what becomes of it."""

from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from billing_core.businesses import queries as businesses
from billing_core.businesses import service as business_service
from billing_core.businesses.models import Business
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor, Permission
from billing_core.metering.models import LateKind, LateUsage
from billing_core.usage import late
from billing_core.usage.late import Item, ItemState
from pages.ui import address, formats, opened, reading_on, tables
from pages.ui.colors import Color
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import number_input
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.usage_sections import wording

_SIZE = 100
_KEY = "usage_late"
WAYS = {
    LateUsage.NEXT_INVOICE: "put on the next invoice",
    LateUsage.OWN_DOCUMENT: "put on a document of its own",
    LateUsage.WAIVE: "waived",
}
_KINDS = {LateKind.ARRIVED: "Came late", LateKind.WITHDRAWN: "Withdrawn"}
_STATES: dict[str, Color] = {
    "Open": "orange",
    **dict.fromkeys(("Unbilled", "Invoiced", "Credited", "Waived", "Comes to nothing", "Billed anew"), "gray"),
}


def draw(read: Reader, actor: Actor, customer_id: int | None = None) -> None:
    """Those of one customer, or of all."""
    # How our businesses treat late items is nothing to those of one customer.
    if actor.customer_id is None:
        _setting(read, actor)
    label = "Only what is open"
    address.read("usage_late_open", label, address.yes_or_no, True)
    open_only = st.toggle(label, value=True, key="usage_late_open", bind="query-params")
    address.stop_in_doubt()
    of = (customer_id, open_only)
    after = reading_on.place(_KEY, of, 0)
    rows = read(late.items, customer_id=customer_id, open_only=open_only, after_id=after, limit=_SIZE)
    if not rows:
        st.info(
            "Nothing is open: no event has come for a billed period, and none was taken back from one."
            if open_only
            else "No event has come for a billed period, and none was taken back from one.",
            icon=":material/task_alt:",
        )
        _pages(of, rows)
        return
    may_write = actor.may(Permission.INVOICE_WRITE)
    ticked = tables.show(
        rows,
        _columns(read, customer_id),
        # Rows that are ticked are ticked by their places, of these rows alone.
        key=f"{_KEY}_{customer_id}_{open_only}_{after}",
        alt="Late items in the order in which they came",
        choose=may_write,
    )
    st.caption("What an item is worth is by how much it changes its billed period, by the terms of then, before tax.")
    _pages(of, rows)
    if may_write:
        _choices([row.id for row in ticked])


def _columns(read: Reader, customer_id: int | None) -> list[tables.Column]:
    whose = [] if customer_id else [tables.text("Organization", "customer_name", width=150)]
    return [
        *whose,
        tables.computed("What", lambda row: _KINDS[row.kind], width=90),
        tables.quantity("Quantity", "quantity"),
        tables.computed("Worth", _worth, right=True),
        tables.computed("Currency", lambda row: row.worth.currency if row.worth else "", width=80),
        tables.badges("State", _states, _STATES),
        tables.computed("Becomes", _becomes, width=170),
        tables.computed("Billed period", lambda row: formats.days(row.first_day, row.last_day)),
        tables.computed("Meter", lambda row: wording.meter(row.meter)),
        tables.computed("User", lambda row: wording.user(row.user)),
        tables.text("Event", "event_id"),
        tables.instant("Happened", "occurred_at", read.company.time_zone),
        tables.instant("Came", "noticed_at", read.company.time_zone),
    ]


def _worth(row: Item) -> str:
    return formats.NOTHING if row.worth is None else formats.change(row.worth.minor, row.worth.currency)


def _states(row: Item) -> list[str]:
    return ["Comes to nothing" if row.state is ItemState.NOTHING else formats.words(row.state.value)]


def _becomes(row: Item) -> str:
    if row.reason:
        return row.reason
    if row.state is ItemState.OPEN:
        return formats.sentence(WAYS[row.wanted]) if row.wanted else "As the business has it"
    return ""


def _pages(of: object, rows: Sequence[Item]) -> None:
    with st.container(horizontal=True):
        reading_on.buttons(_KEY, of, following=rows[-1].id if len(rows) == _SIZE else None, onward=f"Next {_SIZE}")


def _choices(ids: list[int]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{formats.counted(len(ids), 'item')} ticked", width="content")
        none = not ids
        if st.button("Onto the next invoice", key="late_next", icon=":material/event_upcoming:", disabled=none):
            with attempt("Goes onto the next invoice of usage") as session:
                late.want(session, signed_in(), ids, LateUsage.NEXT_INVOICE, now=utc_now())
        if st.button("Document of its own", key="late_own", icon=":material/request_quote:", disabled=none):
            _settle(ids)
        if st.button("Waive", key="late_waive", icon=":material/money_off:", disabled=none):
            _waive(ids)


@st.dialog("A document of its own", icon=":material/request_quote:")
def _settle(ids: list[int]) -> None:
    actor = signed_in()
    read = Reader(actor)
    st.markdown(
        f"Makes a draft for each organization of the {formats.counted(len(ids), 'item')}. What is worth less than "
        "nothing is credited to the invoice that billed it, unless it had been waived. All of it is taxed as its "
        "period was."
    )
    text = st.text_input(
        "Tax rate, percent, of what came for a period that has no invoice",
        "0",
        key="late_tax_rate",
        max_chars=10,
        width=160,
    )
    if st.button("Make the documents", type="primary", key="do_settle"):
        made: list[int] = []
        with attempt("Settled the items", then=lambda: _open_draft(made)) as session:
            made += late.settle(session, actor, ids, now=utc_now(), today=read.days, tax_rate=_percent(text))


def _open_draft(made: list[int]) -> None:
    if len(made) == 1:
        opened.go_to_invoice(made[0])


def _percent(text: str) -> Decimal:
    try:
        return number_input.number(text.strip() or "0", formats.locale())
    except ValueError as reason:
        raise Invalid(f"The tax rate {reason}", fields={"tax_rate": str(reason)}) from reason


@st.dialog("Waive late items", icon=":material/money_off:")
def _waive(ids: list[int]) -> None:
    actor = signed_in()
    st.markdown(f"Nobody is billed for the {formats.counted(len(ids), 'item')}, nor credited. This cannot be undone.")
    reason = st.text_input("Reason", key="late_reason", max_chars=500, required=True, placeholder="Such as: goodwill")
    if st.button("Waive", type="primary", key="do_waive", icon=":material/money_off:"):
        with attempt("Waived the items") as session:
            late.waive(session, actor, ids, reason=reason, now=utc_now())


def _setting(read: Reader, actor: Actor) -> None:
    """What happens where nobody chooses, by business."""
    every = read.plain(businesses.every)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        told = [f"{md(one.name)}: {_way(one)}" if len(every) > 1 else f"Late items are {_way(one)}" for one in every]
        st.markdown("  \n".join(told), width="stretch")
        if actor.may(Permission.BUSINESS_WRITE) and st.button("Change", key="late_setting", icon=":material/settings:"):
            _change_setting()


def _way(business: Business) -> str:
    way = WAYS[LateUsage(business.late_usage)]
    return f"{way} ({md(business.late_usage_reason)})" if business.late_usage_reason else way


@st.dialog("What becomes of late items", icon=":material/settings:")
def _change_setting() -> None:
    actor = signed_in()
    every = {one.id: one for one in Reader(actor).plain(businesses.every)}
    business_id = next(iter(every))
    if len(every) > 1:
        business_id = st.selectbox(
            "Business", list(every), format_func=lambda one: every[one].name, key="late_business"
        )
    ways = list(WAYS)
    way = st.selectbox(
        "Late items are",
        ways,
        ways.index(LateUsage(every[business_id].late_usage)),
        format_func=WAYS.__getitem__,
        key=f"late_way_{business_id}",
    )
    reason = ""
    if way is LateUsage.WAIVE:
        reason = st.text_input("Reason", every[business_id].late_usage_reason, key="late_way_reason", max_chars=500)
    st.caption("Where nobody chooses for an item, when its organization is billed next.")
    if st.button("Save", type="primary", key="save_late_way", icon=":material/save:"):
        with attempt("Saved") as session:
            business_service.treat_late_usage(session, actor, business_id, way.value, reason=reason, now=utc_now())
