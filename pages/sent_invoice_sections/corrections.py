"""Lowering what an invoice asks for, or giving it back: credit note, refund, write-off, cancelling."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor
from billing_core.invoices import credit_notes, queries
from billing_core.invoices.rows import InvoiceView
from billing_core.payments import queries as payments
from billing_core.payments import refunds, write_offs
from billing_core.payments.models import PaymentMethod
from billing_core.payments.queries import AllocationRow
from billing_core.payments.refunds import MoneyBack
from billing_core.text import LONGEST_REASON
from pages.invoice_document_sections.changes import attempt
from pages.payment_sections import gateway_refund
from pages.sent_invoice_sections import line_choice
from pages.ui import context, formats
from pages.ui.context import actor as signed_in
from pages.ui.inputs import print_hint
from pages.ui.inputs.amount_field import amount_field
from pages.ui.reads import Reader
from pages.ui.text import md

AS_CREDIT = "Keep it as the customer's credit"
ONLINE, OTHERWISE = "The way it was paid", "In another way"


@st.dialog("Credit note", width="medium", icon=":material/receipt:")
def credit_note(invoice_id: int) -> None:
    """Take all or part of what is due off the invoice, with a document of its own."""
    actor = signed_in()
    read = Reader(actor)
    invoice = read(queries.one, invoice_id)
    _due(invoice)
    amount, lines = None, None
    if line_choice.by_lines(f"credit_note_by_{invoice_id}"):
        lines = line_choice.chosen(invoice, key=f"credit_note_lines_{invoice_id}")
    else:
        amount = amount_field(
            "Amount with tax", invoice.due_minor, invoice.currency, key=f"credit_note_amount_{invoice_id}"
        )
    last_day = max(read.day_of(invoice.business_id), invoice.issued_on)
    issued_on = st.date_input(
        "Date",
        last_day,
        min_value=invoice.issued_on,
        max_value=last_day,
        key=f"credit_note_day_{invoice_id}",
        required=True,
        width=180,
        format=formats.day_form(),
    )
    reason = _printed_reason(f"credit_note_reason_{invoice_id}")
    st.caption(
        "A credit note with a number of its own takes this off the invoice; revenue and tax are lowered at the "
        "invoice's own rates: of an amount at all of them alike, of lines at theirs. It cannot be undone."
    )
    nothing = amount is None and lines is None
    if st.button("Issue credit note", type="primary", key="issue_credit_note", disabled=nothing):
        with attempt("The credit note is issued") as session:
            credit_notes.issue(
                session,
                actor,
                invoice_id,
                reason=reason,
                issued_on=issued_on or read.day_of(invoice.business_id),
                today=read.day_of(invoice.business_id),
                now=utc_now(),
                amount_minor=amount,
                lines=lines,
            )


@st.dialog("Refund", width="medium", icon=":material/currency_exchange:")
def refund(invoice_id: int) -> None:
    """Give back what was paid, in full or in part."""
    actor = signed_in()
    read = Reader(actor)
    invoice = read(queries.one, invoice_id)
    left = invoice.paid_minor - invoice.refunded_minor
    online = _paid_online(read, invoice_id)
    if (
        online
        and st.segmented_control(
            "How", [ONLINE, OTHERWISE], default=ONLINE, key=f"refund_by_{invoice_id}", required=True
        )
        == ONLINE
    ):
        _online(actor, online)
        return
    st.markdown(f"**{md(formats.money(left, invoice.currency))}** of what was paid can be refunded.")
    amount, lines = None, None
    if line_choice.by_lines(f"refund_what_{invoice_id}"):
        lines = line_choice.chosen(invoice, key=f"refund_lines_{invoice_id}")
    else:
        amount = amount_field("Amount", left, invoice.currency, key=f"refund_amount_{invoice_id}")
    ways = {method.value: f"Paid back {formats.by_method(method.value)}" for method in PaymentMethod}
    way = st.selectbox(
        "How",
        [*ways, ""],
        format_func=lambda one: ways.get(one, AS_CREDIT),
        key=f"refund_way_{invoice_id}",
    )
    with context.reading() as session:
        days = refunds.possible_days(session, invoice_id, invoice.issued_on, today=read.day_of(invoice.business_id))
    refunded_on = st.date_input(
        "Date",
        days.end,
        min_value=days.start,
        max_value=days.end,
        key=f"refund_day_{invoice_id}",
        required=True,
        width=180,
        format=formats.day_form(),
    )
    reference = st.text_input("Reference", key=f"refund_reference_{invoice_id}", max_chars=120)
    reason = _printed_reason(f"refund_reason_{invoice_id}")
    st.caption("A credit note is issued with it. This only records the refund; it moves no money.")
    nothing = amount is None and lines is None
    if st.button("Record refund", type="primary", key="record_refund", disabled=nothing):
        money_back = MoneyBack(
            reason=reason,
            method=PaymentMethod(way) if way else None,
            refunded_on=refunded_on or days.end,
            amount_minor=amount,
            reference=reference,
            lines=lines,
        )
        with attempt("The refund is recorded") as session:
            refunds.refund(
                session, actor, invoice_id, wanted=money_back, today=read.day_of(invoice.business_id), now=utc_now()
            )


def _paid_online(read: Reader, invoice_id: int) -> list[AllocationRow]:
    """What paid this invoice through a payment service, which can send it back."""
    rows = read(payments.allocations, invoice_id=invoice_id)
    return [row for row in rows if row.method is PaymentMethod.STRIPE and row.payment_id and row.undone_at is None]


def _online(actor: Actor, paid: list[AllocationRow]) -> None:
    """One of the payments that came in online goes back through its payment service."""
    chosen: AllocationRow | None = paid[0]
    if len(paid) > 1:
        chosen = st.selectbox(
            "Payment",
            paid,
            format_func=lambda row: f"{formats.money(row.amount_minor, row.currency)}, {formats.day(row.allocated_on)}",
            key=f"refund_payment_{paid[0].invoice_id}",
        )
    if chosen is not None and chosen.payment_id is not None:
        gateway_refund.form(actor, chosen.payment_id)


@st.dialog("Write off", icon=":material/money_off:")
def write_off(invoice_id: int) -> None:
    """Give up all or part of what is due."""
    actor = signed_in()
    read = Reader(actor)
    invoice = read(queries.one, invoice_id)
    _due(invoice)
    amount = amount_field("Amount", invoice.due_minor, invoice.currency, key=f"write_off_amount_{invoice_id}")
    reason = _reason(f"write_off_reason_{invoice_id}", "Such as: insolvent")
    st.caption("It is no longer collected and is posted as bad debt; revenue and tax stay. A write-off can be undone.")
    if st.button("Write off", type="primary", key="do_write_off", disabled=amount is None):
        with attempt("Written off") as session:
            write_offs.write_off(
                session,
                actor,
                invoice_id,
                reason=reason,
                today=read.day_of(invoice.business_id),
                now=utc_now(),
                amount_minor=amount,
            )


@st.dialog("Undo the write-off", icon=":material/undo:")
def undo_write_off(invoice_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    invoice = read(queries.one, invoice_id)
    amount = formats.money(invoice.written_off_minor, invoice.currency)
    st.markdown(f"**{md(amount)}** of {md(invoice.number)} is due again.")
    reason = _reason(f"undo_write_off_reason_{invoice_id}", "Such as: paid after all")
    if st.button("Undo write-off", type="primary", key="do_undo_write_off"):
        with attempt(f"{amount} is due again") as session:
            write_offs.undo_write_off(
                session, actor, invoice_id, reason=reason, today=read.day_of(invoice.business_id), now=utc_now()
            )


def _due(invoice: InvoiceView) -> None:
    st.markdown(f"**{md(formats.money(invoice.due_minor, invoice.currency))}** is due on {md(invoice.number)}.")


def _reason(key: str, placeholder: str) -> str:
    return st.text_input("Reason", key=key, max_chars=LONGEST_REASON, placeholder=placeholder, required=True)


def _printed_reason(key: str) -> str:
    reason = _reason(key, "Printed on the credit note")
    print_hint.show(reason)
    return reason
