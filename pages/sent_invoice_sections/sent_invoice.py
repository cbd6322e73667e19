"""An invoice as a document: what it says, what became of it, and what can be done about it."""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.invoices import queries
from billing_core.invoices.content.content import Content, DraftLine
from billing_core.invoices.content.totals import Totals
from billing_core.invoices.documents import document, legibility
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.rows import InvoiceView
from pages.invoice_document_sections import amounts, cancelling, drafts, preview, sending, timeline
from pages.invoice_sections.columns import STATUS_COLORS
from pages.payment_link_sections import creating
from pages.sent_invoice_sections import (
    charges,
    corrections,
    incoming_payments,
    ledger_rows,
    linked,
    maintenance,
    paying_online,
)
from pages.ui import formats, mail_words, tables
from pages.ui.inputs import print_hint
from pages.ui.reads import Reader
from pages.ui.text import md

_MOST_ROWS = 12
# Of a description, in its column of a narrow window.
_MOST_LINES = 5
# In pixels: what is there beside the menu in a narrow window, the least of a description, and a letter of it.
_BESIDE_MENU, _LEAST, _LETTER = 530, 110, 6.4
Step = Callable[[], None]


def draw(read: Reader, actor: Actor, invoice: InvoiceView) -> None:
    _header(read, actor, invoice)
    link_minor = paying_online.draw(read, actor, invoice)
    if invoice.sent_at:
        ledger_rows.cards(invoice)
    content = read.plain(queries.content, invoice)
    totals = content.totals()
    _lines(content, totals)
    charges.draw(read, actor, invoice)
    says, paper = preview.beside()
    with says:
        _sums(read, invoice, content, totals, link_minor)
        linked.draw(read, actor, invoice)
        timeline.draw(read, invoice)
    with paper:
        preview.draw(read, invoice)


def _header(read: Reader, actor: Actor, invoice: InvoiceView) -> None:
    status = invoice.status(read.day_of(invoice.business_id))
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        name = f"Invoice {md(invoice.number)}" if invoice.number else f"Draft for {md(invoice.customer_name)}"
        st.title(name, anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            _actions(read, actor, invoice)
            st.link_button("PDF", preview.address(invoice), icon=":material/download:")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(formats.words(status.value), color=STATUS_COLORS[status])
        if invoice.written_off_minor:
            st.badge("Written off", color="orange")
        if mail := mail_words.of_invoice(mail_words.of_invoices(actor, [invoice.id]).get(invoice.id)):
            label, color = mail
            st.badge(label, color=color)
        st.page_link(
            "customers.py", label=md(invoice.customer_name), query_params={"customer": str(invoice.customer_id)}
        )
        st.markdown(
            f"issued {md(formats.day(invoice.issued_on))} · due {md(formats.day(invoice.due_on))}"
            + (f" · {md(invoice.reference)}" if invoice.reference else ""),
            width="content",
        )
    if (
        invoice.held_until
        and invoice.held_until >= read.day_of(invoice.business_id)
        and invoice.state is InvoiceState.OPEN
    ):
        st.info(
            f"No reminders until {md(formats.day(invoice.held_until))}: {md(invoice.hold_reason)}",
            icon=":material/pause_circle:",
        )
    if invoice.payment_failed_at and invoice.state is InvoiceState.OPEN:
        st.error(f"A payment failed: {md(invoice.payment_failure)}", icon=":material/error:")


def _actions(read: Reader, actor: Actor, invoice: InvoiceView) -> None:
    """The two that people need most as buttons, the rest in a menu."""
    first, rest = _possible(read, actor, invoice)
    for place, (label, (icon, step)) in enumerate(first.items()):
        if st.button(label, icon=icon, key=f"do_{label}", type="secondary" if place else "primary"):
            step()
    if rest:
        chosen = st.menu_button("More", list(rest), key="more_actions", icon=":material/more_horiz:")
        if chosen:
            rest[chosen]()


def _possible(read: Reader, actor: Actor, invoice: InvoiceView) -> tuple[dict[str, tuple[str, Step]], dict[str, Step]]:
    """What this person can do with the invoice in its state: buttons, and the menu."""
    buttons: dict[str, tuple[str, Step]] = {}
    menu: dict[str, Step] = {}
    state, one = invoice.state, invoice.id
    is_open, is_paid = state is InvoiceState.OPEN, state is InvoiceState.PAID
    if actor.may(Permission.PAYMENT_WRITE):
        if is_open:
            buttons["Record payment"] = (":material/payments:", partial(incoming_payments.record_payment, one))
            if incoming_payments.credit_of(read, invoice.business_id, invoice.customer_id, invoice.currency) > 0:
                menu["Use the customer's credit"] = partial(incoming_payments.apply_credit, one)
            menu["Credit note"] = partial(corrections.credit_note, one)
            menu["Write off"] = partial(corrections.write_off, one)
        if is_paid and invoice.paid_minor > invoice.refunded_minor:
            menu["Refund"] = partial(corrections.refund, one)
        if invoice.written_off_minor:
            menu["Undo the write-off"] = partial(corrections.undo_write_off, one)
    if actor.may(Permission.INVOICE_SEND) and (is_open or is_paid):
        buttons["Send by e-mail"] = (":material/send:", partial(sending.dialog, one))
    if actor.may(Permission.LINK_WRITE) and is_open and invoice.due_minor and not invoice.payment_url:
        buttons["Payment link"] = (":material/add_link:", partial(creating.dialog, one))
    if actor.may(Permission.INVOICE_SEND) and invoice.number and state is not InvoiceState.CANCELLED:
        menu["Copy the customer's link"] = partial(maintenance.link, invoice)
    if actor.may(Permission.INVOICE_WRITE) and is_open:
        menu["Edit details"] = partial(maintenance.details, invoice)
    if actor.may(Permission.REMINDER_WRITE) and is_open:
        if invoice.due_minor:
            menu["Remind now"] = partial(maintenance.remind, read, actor, invoice)
        menu["Hold reminders"] = partial(maintenance.hold, invoice)
        if invoice.held_until and invoice.held_until >= read.day_of(invoice.business_id):
            menu["Allow reminders again"] = partial(maintenance.release, invoice)
    if actor.may(Permission.INVOICE_WRITE):
        if is_open and invoice.status(read.day_of(invoice.business_id)) is not InvoiceStatus.OVERDUE:
            menu["Mark as overdue"] = partial(maintenance.mark_overdue, invoice)
        menu["Duplicate"] = partial(drafts.duplicate, actor, read, one)
        if is_open:
            menu["Cancel invoice"] = partial(cancelling.dialog, one)
    return buttons, menu


def _lines(content: Content, totals: Totals) -> None:
    currency = content.currency
    discounted = any(line.discount_percent or line.discount_minor for line in content.lines)
    rows = list(zip(content.lines, totals.lines, strict=True))
    figures = [
        _figure(rows, "Quantity", lambda row: formats.decimal(row[0].quantity), 70),
        _figure(rows, f"Price, {currency}", lambda row: formats.price(row[0].unit_price, currency), 76),
        *([_figure(rows, "Discount", lambda row: _discount(row[0], currency), 70)] if discounted else []),
        _figure(rows, "Tax %", lambda row: formats.decimal(row[0].tax_rate), 45),
        _figure(rows, f"Amount, {currency}", lambda row: formats.amount(row[1], currency), 84),
    ]
    # No figure is cut off: what they leave is the description's. A wide window stretches them all.
    described = max(_LEAST, _BESIDE_MENU - sum(width for _, width in figures))
    height: tables.Height = "content" if len(rows) <= _MOST_ROWS else "auto"
    longest = max((len(line.description) for line in content.lines), default=0)
    tables.show(
        rows,
        [
            tables.computed("Description", lambda row: row[0].description, width=described),
            *(column for column, _ in figures),
        ],
        key="invoice_lines",
        alt="Lines of the invoice",
        height=height,
        lines=min(_MOST_LINES, ceil(longest * _LETTER / described) or 1),
    )


def _figure(rows: Sequence[Any], label: str, cell: Callable[[Any], str], least: int) -> tuple[tables.Column, int]:
    """The column, and its width: as wide as its longest figure, and no less than ``least`` pixels."""
    width = max(least, tables.wide_enough(cell(row) for row in rows))
    return tables.computed(label, cell, right=True, width=width), width


def _sums(read: Reader, invoice: InvoiceView, content: Content, totals: Totals, link_minor: int | None) -> None:
    with st.container(horizontal_alignment="right"):
        amounts.table(totals, content)
    paper = read.plain(document.of_invoice, invoice.id)
    missing = legibility.of_invoice(paper)
    posted = ledger_rows.posted_minor(read, invoice) if invoice.sent_at else None
    amounts.strip(
        totals,
        stored_minor=invoice.total_minor,
        pdf_minor=None if missing else paper.totals.total_minor,
        owed_minor=posted,
        link_minor=link_minor if invoice.due_minor == invoice.total_minor else None,
    )
    print_hint.warn(missing)
    if invoice.zero_tax_reason and any(not line.tax_rate for line in content.lines):
        st.caption("Reason for 0 % tax")
        st.text(invoice.zero_tax_reason)
    if invoice.notes:
        st.caption("Notes")
        st.text(invoice.notes)


def _discount(line: DraftLine, currency: str) -> str:
    if line.discount_percent:
        return f"{formats.decimal(line.discount_percent)} %"
    return formats.amount(line.discount_minor, currency) if line.discount_minor else ""
