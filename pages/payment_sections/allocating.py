"""Which open invoices a payment pays: proposed oldest first, changed in a grid, with what is left over."""

from collections.abc import Mapping, Sequence
from datetime import date
from zlib import crc32

import pandas as pd
import streamlit as st

from billing_core.invoices import queries
from billing_core.invoices.queries import InvoiceFilter
from billing_core.invoices.rows import InvoiceRow
from pages.payment_sections.credit import MOST_INVOICES, OPEN
from pages.ui import formats, sorting
from pages.ui.inputs import number_input
from pages.ui.inputs.payments import early_offers
from pages.ui.reads import Reader
from pages.ui.text import md

OLDEST, NONE = "Oldest first", "None, keep it all as credit"
_PAYS = "Pays"


def draw(
    read: Reader, customer_id: int, business_id: int, currency: str, amount_minor: int, received_on: date
) -> dict[int, int] | None:
    """Minor units by invoice; None while something in the grid is wrong, which is said below it."""
    invoice_filter = InvoiceFilter(
        status=OPEN, customer_id=customer_id, business_id=business_id, currency=currency, order_by="due_on"
    )
    rows = read(queries.page, invoice_filter, today=read.days, limit=MOST_INVOICES + 1)
    invoices = rows[:MOST_INVOICES]
    if not invoices:
        _remainder(amount_minor, currency, f"No invoice in {currency} is open. ")
        return {}
    st.subheader("Invoices that it pays", anchor=False)
    way = st.segmented_control(
        "Propose", [OLDEST, NONE], default=OLDEST, key="record_proposal", required=True, label_visibility="collapsed"
    )
    start = proposal(invoices, amount_minor) if way == OLDEST else {}
    written = _grid(invoices, start, currency, amount_minor)
    if offers := early_offers.running(read, invoices, received_on):
        st.caption(f"Exactly so much settles an invoice that is paid early: {early_offers.named(invoices, offers)}.")
    if len(rows) > MOST_INVOICES:
        st.caption(f"The {MOST_INVOICES} invoices that are due first; the rest of them can be paid from the credit.")
    paid, problems = checked(invoices, written, currency, amount_minor)
    if problems:
        for problem in problems:
            st.markdown(f":red[:material/error: {md(formats.with_days(problem))}]")
        return None
    _remainder(amount_minor - sum(paid.values()), currency)
    return paid


def proposal(invoices: Sequence[InvoiceRow], amount_minor: int) -> dict[int, int]:
    """The invoices in their order, each in full as long as the money lasts."""
    left, paid = amount_minor, {}
    for invoice in invoices:
        paid[invoice.id] = min(left, invoice.due_minor)
        left -= paid[invoice.id]
    return {invoice_id: amount for invoice_id, amount in paid.items() if amount}


def checked(
    invoices: Sequence[InvoiceRow], written: Mapping[int, str], currency: str, amount_minor: int
) -> tuple[dict[int, int], list[str]]:
    """What each invoice gets, and what is wrong with what was typed, in words."""
    paid, problems = {}, []
    for invoice in invoices:
        text = written.get(invoice.id, "").strip()
        if not text:
            continue
        try:
            minor = number_input.minor(text, currency, formats.locale())
        except ValueError as reason:
            problems.append(f"Invoice {invoice.number}: “{text}” {reason}")
            continue
        if not 0 <= minor <= invoice.due_minor:
            problems.append(f"Invoice {invoice.number}: only {formats.money(invoice.due_minor, currency)} is due")
        elif minor:
            paid[invoice.id] = minor
    over = sum(paid.values()) - amount_minor
    if over > 0 and not problems:
        problems.append(f"The invoices get {formats.money(over, currency)} more than came in")
    return paid, problems


def _grid(invoices: Sequence[InvoiceRow], start: Mapping[int, int], currency: str, amount_minor: int) -> dict[int, str]:
    locale = formats.locale()
    columns = {
        "Invoice": [invoice.number for invoice in invoices],
        "Issued": [invoice.issued_on for invoice in invoices],
        "Due": [invoice.due_on for invoice in invoices],
        "Total": sorting.sortable([formats.amount(invoice.total_minor, currency) for invoice in invoices]),
        "Amount due": sorting.sortable([formats.amount(invoice.due_minor, currency) for invoice in invoices]),
        _PAYS: [number_input.written_minor(start.get(invoice.id), currency, locale) for invoice in invoices],
        "Currency": [currency] * len(invoices),
    }
    look = {
        "Issued": st.column_config.DateColumn("Issued", format=formats.day_form()),
        "Due": st.column_config.DateColumn("Due", format=formats.day_form()),
        "Total": st.column_config.TextColumn("Total", alignment="right"),
        "Amount due": st.column_config.TextColumn("Amount due", alignment="right"),
        _PAYS: st.column_config.TextColumn(
            f"{_PAYS} ✎", alignment="right", max_chars=40, help="What of this payment the invoice gets"
        ),
        "Currency": st.column_config.TextColumn("Currency", width=70),
    }
    # Another amount or other invoices make another proposal, on which earlier changes would mean something else.
    facts = [amount_minor, *((invoice.id, invoice.due_minor, start.get(invoice.id)) for invoice in invoices)]
    edited = st.data_editor(
        pd.DataFrame(columns),
        column_config=look,
        disabled=[name for name in columns if name != _PAYS],
        hide_index=True,
        key=f"record_grid_{crc32(repr(facts).encode())}",
        width="stretch",
    )
    return {invoice.id: str(text or "") for invoice, text in zip(invoices, edited[_PAYS], strict=True)}


def _remainder(left: int, currency: str, before: str = "") -> None:
    if left:
        st.info(
            f"{before}{formats.money(left, currency)} is left over and becomes the customer's credit.",
            icon=":material/savings:",
        )
    else:
        st.caption("Nothing is left over.")
