"""Which invoices the page shows: a tab of statuses with its count, and filters. All of it stands in the address."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from types import MappingProxyType

import streamlit as st

from billing_core.customers import queries as customers
from billing_core.identity import Actor
from billing_core.invoices import queries
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import CurrencyTotal, StatusTotal
from pages.invoice_sections.sums import by_currency
from pages.ui import address, formats, tables
from pages.ui.inputs import business_names, customer_names, filters, number_input
from pages.ui.reads import Reader

PAGE_KEY = "invoices_page"
SORT_KEY = "invoices_sort"
TAB_KEY = "invoices_tab"
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
    """``count`` invoices match; ``sums`` of them per currency, None where they are too many to add up."""

    invoice_filter: InvoiceFilter
    tab: str
    count: int
    sums: list[CurrencyTotal] | None

    @property
    def filtered(self) -> bool:
        """Does anything beside the tab narrow the list?"""
        return replace(self.invoice_filter, status=(), order_by="") != InvoiceFilter(order_by="")


def draw(read: Reader, actor: Actor, columns: list[tables.Column]) -> Shown:
    """The tabs and the filters under them."""
    place = st.container()
    # Before the filters: behind them stands the menu of views, which one may just have been opened from.
    filters.read_tab(TAB_KEY, TABS)
    invoice_filter = _filters(read, actor, columns)
    today = read.days
    if read(queries.count, invoice_filter, today=today, at_most=_COUNTED) < _COUNTED:
        totals = read(queries.totals_by_status, invoice_filter, today=today)
        counts = {tab: sum(one.invoices for one in _of(tab, totals)) for tab in TABS}
        with place:
            tab = filters.tabs(TAB_KEY, {name: formats.count(one) for name, one in counts.items()}, page_key=PAGE_KEY)
        return Shown(replace(invoice_filter, status=TABS[tab]), tab, counts[tab], by_currency(_of(tab, totals)))
    capped = {
        tab: read(queries.count, replace(invoice_filter, status=statuses), today=today, at_most=_COUNTED)
        for tab, statuses in TABS.items()
    }
    with place:
        more = {True: "+", False: ""}
        shown = {name: formats.count(count) + more[count == _COUNTED] for name, count in capped.items()}
        tab = filters.tabs(TAB_KEY, shown, page_key=PAGE_KEY)
    of_tab = replace(invoice_filter, status=TABS[tab])
    count = capped[tab] if capped[tab] < _COUNTED else read(queries.count, of_tab, today=today)
    sums = read(queries.totals, of_tab, today=today) if count < _COUNTED else None
    return Shown(of_tab, tab, count, sums)


def _of(tab: str, totals: list[StatusTotal]) -> list[StatusTotal]:
    return [one for one in totals if tab == ALL or one.status in TABS[tab]]


def _filters(read: Reader, actor: Actor, columns: list[tables.Column]) -> InvoiceFilter:
    with filters.row():
        text = filters.search(
            "Search", key="invoices_text", page_key=PAGE_KEY, placeholder="Number, customer, reference, line, amount"
        )
        customer = customer_names.filter_by(read, key="invoices_customer", page_key=PAGE_KEY)
        currency = filters.choice(
            "Currency", read(customers.currencies), key="invoices_currency", page_key=PAGE_KEY, every="All currencies"
        )
        order = filters.order(tables.orderings(columns), "-issued_on", key=SORT_KEY, page_key=PAGE_KEY)
        with st.popover("More", icon=":material/tune:"):
            issued_from = filters.day("Issued on or after", key="invoices_issued_from", page_key=PAGE_KEY)
            issued_to = filters.day("Issued on or before", key="invoices_issued_to", page_key=PAGE_KEY)
            due_from = filters.day("Due on or after", key="invoices_due_from", page_key=PAGE_KEY)
            due_to = filters.day("Due on or before", key="invoices_due_to", page_key=PAGE_KEY)
            filters.in_order(issued_from, issued_to, "Issued", key="invoices_issued_to")
            filters.in_order(due_from, due_to, "Due", key="invoices_due_to")
            smallest = _amount("Total at least", "invoices_smallest")
            largest = _amount("Total at most", "invoices_largest")
            if smallest is not None and largest is not None and smallest > largest:
                address.refuse("invoices_largest", "Total: the smallest is greater than the largest")
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


def _amount(label: str, key: str) -> Decimal | None:
    filters.ask(key, label, "", address.text)
    text = st.text_input(
        label,
        key=key,
        bind="query-params",
        max_chars=20,
        help="In the currency of each invoice",
        on_change=_write_for_all,
        args=(key,),
    )
    if not text.strip():
        return None
    try:
        return abs(number_input.number(text, formats.locale()))
    except ValueError as reason:
        address.refuse(key, f"{label} {formats.with_days(str(reason))}")
        return None


def _write_for_all(key: str) -> None:
    """In a callback: the address is for readers of every locale."""
    with suppress(ValueError):
        value = number_input.number(st.session_state[key], formats.locale())
        st.session_state[key] = number_input.unmistakable(value, formats.locale())
    filters.first_page(PAGE_KEY)


def _business(read: Reader) -> int | None:
    """Asked for only where there are several."""
    names = business_names.by_id(read)
    if len(names) < 2:
        address.read("invoices_business", "Business", partial(address.called, names), None)
        return None
    return filters.one_of("Business", names, key="invoices_business", page_key=PAGE_KEY, every="All businesses")
