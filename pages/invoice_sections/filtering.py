"""Which invoices the page shows: a tab of statuses with its count, and filters. All of it stands in the address."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from billing_core.businesses import queries as businesses
from billing_core.customers import queries as customers
from billing_core.identity import Actor
from billing_core.invoices import queries
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import CurrencyTotal, StatusTotal
from pages.ui import formats, tables
from pages.ui.inputs import customer_names, filters, number_input
from pages.ui.reads import Reader
from pages.ui.text import md

PAGE_KEY = "invoices_page"
SORT_KEY = "invoices_sort"
TAB_KEY = "invoices_tab"
EARLIEST, LATEST = date(1970, 1, 1), date(2100, 12, 31)
ALL = "all"
TABS: Mapping[str, tuple[InvoiceStatus, ...]] = MappingProxyType(
    {
        ALL: (),
        "draft": (InvoiceStatus.DRAFT,),
        "open": (InvoiceStatus.SENT, InvoiceStatus.VIEWED, InvoiceStatus.OVERDUE),
        "overdue": (InvoiceStatus.OVERDUE,),
        "paid": (InvoiceStatus.PAID, InvoiceStatus.REFUNDED),
        "cancelled": (InvoiceStatus.CANCELLED,),
    }
)
# As many are added up in a moment; of more, each tab is counted in an index, and no further than this.
_COUNTED = 20_000


@dataclass(frozen=True, slots=True)
class Shown:
    """``count`` invoices match; ``sums`` of them a currency, None where they are too many to add up."""

    wanted: InvoiceFilter
    tab: str
    count: int
    sums: list[CurrencyTotal] | None

    @property
    def filtered(self) -> bool:
        """Does anything beside the tab narrow the list?"""
        return replace(self.wanted, status=(), order_by="") != InvoiceFilter(order_by="")


def draw(read: Reader, actor: Actor, columns: list[tables.Column]) -> Shown:
    """The tabs and the filters under them."""
    place = st.container()
    # Before the filters: behind them stands the menu of views, which one may just have been opened from.
    filters.from_view(TAB_KEY, ALL, lambda labels: labels[0] if labels[0] in TABS else ALL)
    wanted = _filters(read, actor, columns)
    today = read.today
    # A text is in no index: whatever it is looked up for, every invoice is read, so that it is done once for all.
    few = wanted.text or read(queries.count, wanted, today=today, at_most=_COUNTED) < _COUNTED
    if few:
        found = read(queries.totals_by_status, wanted, today=today)
        counts = {tab: sum(one.invoices for one in _of(tab, found)) for tab in TABS}
        with place:
            tab = _tab({name: formats.count(count) for name, count in counts.items()})
        return Shown(replace(wanted, status=TABS[tab]), tab, counts[tab], _by_currency(_of(tab, found)))
    capped = {
        tab: read(queries.count, replace(wanted, status=statuses), today=today, at_most=_COUNTED)
        for tab, statuses in TABS.items()
    }
    with place:
        more = {True: "+", False: ""}
        tab = _tab({name: formats.count(count) + more[count == _COUNTED] for name, count in capped.items()})
    of_tab = replace(wanted, status=TABS[tab])
    count = capped[tab] if capped[tab] < _COUNTED else read(queries.count, of_tab, today=today)
    sums = read(queries.totals, of_tab, today=today) if count < _COUNTED else None
    return Shown(of_tab, tab, count, sums)


def _of(tab: str, found: list[StatusTotal]) -> list[StatusTotal]:
    return [one for one in found if tab == ALL or one.status in TABS[tab]]


def _by_currency(found: list[StatusTotal]) -> list[CurrencyTotal]:
    sums: dict[str, CurrencyTotal] = {}
    for one in found:
        before = sums.get(one.currency, CurrencyTotal(one.currency, 0, 0, 0))
        sums[one.currency] = CurrencyTotal(
            one.currency,
            before.invoices + one.invoices,
            before.total_minor + one.total_minor,
            before.due_minor + one.due_minor,
        )
    return list(sums.values())


def query(wanted: InvoiceFilter) -> str:
    """The filters as the download routes name them; empty ones are left out."""
    facts: list[tuple[str, str]] = []
    for field in fields(wanted):
        value = getattr(wanted, field.name)
        if field.name == "status":
            facts += [("status", status.value) for status in value]
        elif value not in (None, ""):
            facts.append((field.name, _written(value)))
    return urlencode(facts)


def _written(value: date | Decimal | int | str) -> str:
    match value:
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return str(value)


def _tab(counts: Mapping[str, str]) -> str:
    """Not bound to the address as other filters are: that would write the count into it."""
    in_address = st.query_params.get(TAB_KEY, ALL)
    st.session_state.setdefault(TAB_KEY, in_address if in_address in TABS else ALL)
    tab = st.segmented_control(
        "Status",
        list(TABS),
        format_func=lambda tab: f"{formats.words(tab)} {counts[tab]}",
        key=TAB_KEY,
        required=True,
        on_change=filters.first_page,
        args=(PAGE_KEY,),
        label_visibility="collapsed",
        wrap=True,
    )
    if tab is None or tab == ALL:
        st.query_params.pop(TAB_KEY, None)
    elif tab != in_address:
        st.query_params[TAB_KEY] = tab
    return tab or ALL


def _filters(read: Reader, actor: Actor, columns: list[tables.Column]) -> InvoiceFilter:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = filters.search(
            "Search", key="invoices_text", page_key=PAGE_KEY, placeholder="Number, customer, reference"
        )
        names = customer_names.offered(read, key="invoices_customer")
        filters.from_view("invoices_customer", None, lambda labels: filters.called(names, labels[0], None))
        customer = st.selectbox(
            "Customer",
            [None, *names],
            format_func=lambda one: "All customers" if one is None else names.get(one, str(one)),
            key="invoices_customer",
            bind="query-params",
            on_change=filters.first_page,
            args=(PAGE_KEY,),
            width=150,
        )
        currency = filters.choice(
            "Currency", read(customers.currencies), key="invoices_currency", page_key=PAGE_KEY, every="All currencies"
        )
        order = filters.order(tables.orderings(columns), "-issued_on", key=SORT_KEY, page_key=PAGE_KEY)
        with st.popover("More", icon=":material/tune:"):
            issued_from = _day("Issued on or after", "invoices_issued_from")
            issued_to = _day("Issued on or before", "invoices_issued_to")
            due_from = _day("Due on or after", "invoices_due_from")
            due_to = _day("Due on or before", "invoices_due_to")
            smallest = _amount("Total at least", "invoices_smallest")
            largest = _amount("Total at most", "invoices_largest")
            business = _business(read)
        filters.saved_views(read, actor, "invoices", PAGE_KEY)
    return InvoiceFilter(
        customer_id=customer,
        business_id=business,
        issued_from=issued_from,
        issued_to=issued_to,
        due_from=due_from,
        due_to=due_to,
        currency=currency,
        smallest=smallest,
        largest=largest,
        text=text,
        order_by=order,
    )


def _day(label: str, key: str) -> date | None:
    filters.from_view(key, None, _as_day)
    return st.date_input(
        label,
        value=None,
        min_value=EARLIEST,
        max_value=LATEST,
        key=key,
        bind="query-params",
        on_change=filters.first_page,
        args=(PAGE_KEY,),
    )


def _as_day(labels: list[str]) -> date | None:
    try:
        found = date.fromisoformat(labels[0])
    except ValueError:
        return None
    return found if EARLIEST <= found <= LATEST else None


def _amount(label: str, key: str) -> Decimal | None:
    filters.from_view(key, "", lambda labels: labels[0])
    text = st.text_input(
        label,
        key=key,
        bind="query-params",
        max_chars=20,
        help="In the currency of each invoice",
        on_change=filters.first_page,
        args=(PAGE_KEY,),
    )
    if not text.strip():
        return None
    try:
        return abs(number_input.number(text, formats.locale()))
    except ValueError as reason:
        st.caption(f":red[{md(label)} {md(reason)}]")
        return None


def _business(read: Reader) -> int | None:
    """Asked for only where there are several."""
    names: dict[int, Any] = filters.distinct(read.plain(_names_of_businesses))
    if len(names) < 2:
        return None
    filters.from_view("invoices_business", None, lambda labels: filters.called(names, labels[0], None))
    return st.selectbox(
        "Business",
        [None, *names],
        format_func=lambda one: "All businesses" if one is None else names.get(one, str(one)),
        key="invoices_business",
        bind="query-params",
        on_change=filters.first_page,
        args=(PAGE_KEY,),
    )


def _names_of_businesses(session: Any) -> list[tuple[int, str]]:
    return [(business.id, business.name) for business in businesses.every(session)]
