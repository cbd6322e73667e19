"""What belongs to an invoice: the reports it bills, what was paid, its credit notes and refunds."""

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.invoices import credit_notes
from billing_core.invoices.rows import InvoiceView
from billing_core.outbox import queries as outbox
from billing_core.outbox.queries import MessageFilter
from billing_core.payments import queries as payments
from billing_core.payments.models import AllocationKind
from billing_core.payments.queries import AllocationRow
from pages.invoice_document_sections import billed_reports, sending
from pages.invoice_sections.columns import withdrawn
from pages.payment_sections import reversal
from pages.ui import context, formats, mail_words, tables
from pages.ui.reads import Reader
from pages.ui.text import md

_MOST_MAILS = 20


def draw(read: Reader, actor: Actor, invoice: InvoiceView) -> None:
    billed_reports.draw(read, invoice)
    if actor.may(Permission.PAYMENT_READ):
        _payments(read, actor, invoice)
    _credit_notes(read, actor, invoice)
    if actor.may(Permission.PAYMENT_READ) and invoice.refunded_minor:
        _refunds(read, invoice)
    if actor.may(Permission.OUTBOX_READ):
        _mails(read, invoice)


def _how(row: AllocationRow) -> str:
    if row.kind is AllocationKind.PREPAID:
        return "Prepaid credit"
    return formats.words(row.method.value) if row.method else "Customer's credit"


def _payments(read: Reader, actor: Actor, invoice: InvoiceView) -> None:
    rows = read(payments.allocations, invoice_id=invoice.id)
    if not rows:
        return
    st.subheader("Payments", anchor=False)
    tables.show(
        rows,
        [
            tables.day("Date", "allocated_on"),
            tables.computed("How", _how),
            tables.text("Reference", "reference"),
            tables.money("Amount", "amount_minor"),
            tables.currency_of(),
            tables.badge(
                "State",
                lambda row: "Reversed" if row.undone_at else "Applied",
                {"Applied": "green", "Reversed": "gray"},
            ),
            tables.text("By", "created_by"),
        ],
        key="invoice_payments",
        alt="What was paid for this invoice",
    )
    standing = [row for row in rows if row.undone_at is None]
    if not actor.may(Permission.PAYMENT_WRITE) or not standing:
        return
    chosen = st.menu_button(
        "Reverse a payment",
        standing,
        key="take_back_payment",
        icon=":material/undo:",
        type="tertiary",
        format_func=lambda row: f"{formats.money(row.amount_minor, row.currency)}, {formats.day(row.allocated_on)}",
    )
    if chosen is not None:
        reversal.dialog(chosen)


def _credit_notes(read: Reader, actor: Actor, invoice: InvoiceView) -> None:
    notes = read(credit_notes.of_invoice, invoice.id)
    if not notes:
        return
    st.subheader("Credit notes", anchor=False)
    tables.show(
        notes,
        [
            tables.text("Number", "number"),
            tables.day("Date", "issued_on"),
            tables.text("Reason", "reason"),
            tables.money("Total", "total_minor"),
            tables.currency_of(),
            *withdrawn(notes),
            tables.link("PDF", lambda note: f"/downloads/credit-notes/{note.id}.pdf", ":material/picture_as_pdf:"),
        ],
        key="invoice_credit_notes",
        alt="Credit notes of this invoice",
    )
    standing = [note for note in notes if note.withdrawn_on is None]
    if standing and actor.may(Permission.INVOICE_SEND):
        chosen = st.menu_button(
            "Mail a credit note",
            standing,
            key="mail_credit_note",
            icon=":material/mail:",
            type="tertiary",
            format_func=lambda note: md(note.number),
        )
        if chosen is not None:
            sending.credit_note(chosen)


def _refunds(read: Reader, invoice: InvoiceView) -> None:
    rows = read(payments.refunds, invoice_id=invoice.id)
    st.subheader("Refunds", anchor=False)
    tables.show(
        rows,
        [
            tables.day("Date", "refunded_on"),
            tables.computed("How", lambda row: formats.words(row.method.value) if row.method else "Kept as credit"),
            tables.text("Reference", "reference"),
            tables.text("Reason", "reason"),
            tables.money("Amount", "amount_minor"),
            tables.currency_of(),
        ],
        key="invoice_refunds",
        alt="What was paid back",
    )
    together = formats.money(sum(row.amount_minor for row in rows), invoice.currency)
    agree = sum(row.amount_minor for row in rows) == invoice.refunded_minor
    st.caption(f"Sum {together} " + ("= refunded ✓" if agree else "differs from what the invoice says"))


def _mails(read: Reader, invoice: InvoiceView) -> None:
    # Not from memory: mails are delivered without anybody's doing.
    with context.reading() as session:
        about_it = MessageFilter(subject=("invoice", invoice.id))
        rows = outbox.page(session, read.actor, about_it, limit=_MOST_MAILS)
    if not rows:
        return
    st.subheader("Mails", anchor=False)
    zone = read.company.time_zone
    tables.show(
        rows,
        [
            tables.instant("Queued", "created_at", zone),
            mail_words.column(),
            tables.text("To", "recipient"),
            tables.text("Subject", "title", width="medium"),
            tables.instant("Sent", "delivered_at", zone),
            tables.computed("Problem", lambda row: formats.with_days(row.last_error)),
        ],
        key="invoice_mails",
        alt="Mails about this invoice",
    )
