"""Money for an invoice: a payment that came in, the customer's credit, and taking either back."""

import streamlit as st

from billing_core.dates import EARLIEST_DAY, utc_now
from billing_core.invoices import queries
from billing_core.invoices.content import early_payment
from billing_core.money import Money
from billing_core.payments import credit, received
from billing_core.payments.received import LONGEST, Received
from pages.invoice_document_sections.changes import attempt
from pages.ui import formats
from pages.ui.context import actor as signed_in
from pages.ui.inputs.amount_field import amount_field
from pages.ui.inputs.payments import payment_method, repeated_payment
from pages.ui.reads import Reader
from pages.ui.text import md


@st.dialog("Record a payment", icon=":material/payments:")
def record_payment(invoice_id: int) -> None:
    """Money that came in for this invoice; what is more than due is kept."""
    actor = signed_in()
    read = Reader(actor)
    invoice = read(queries.one, invoice_id)
    due = invoice.amount_due
    st.markdown(f"**{md(formats.money(due.minor, due.currency))}** is due on {md(invoice.number)}.")
    offered = early_payment.offers(invoice)
    for one in offered:
        st.caption(
            f"{md(formats.money(one.to_pay_minor, due.currency))} settles it until {md(formats.day(one.until))}: "
            f"{md(f'{one.percent:f} %')} off for early payment."
        )
    amount = amount_field("Amount received", due.minor, due.currency, key=f"payment_amount_{invoice_id}")
    with st.container(horizontal=True):
        received_on = st.date_input(
            "Received on",
            read.day_of(invoice.business_id),
            min_value=EARLIEST_DAY,
            max_value=read.day_of(invoice.business_id),
            key=f"payment_day_{invoice_id}",
            required=True,
            width=180,
            format=formats.day_form(),
        )
        method = payment_method.choose("Method", key=f"payment_method_{invoice_id}")
    reference = st.text_input(
        "Reference",
        key=f"payment_reference_{invoice_id}",
        max_chars=LONGEST["reference"],
        placeholder="What the bank statement or the cheque says",
    )
    with st.expander("Fee and note"):
        fee = amount_field("Fee kept by the bank", 0, due.currency, key=f"payment_fee_{invoice_id}")
        note = st.text_input("Note", key=f"payment_note_{invoice_id}", max_chars=LONGEST["note"])
    taken = early_payment.taken_by(offered, amount or 0, received_on or read.day_of(invoice.business_id))
    if taken is not None:
        discount = formats.money(taken.discount_minor, due.currency)
        st.caption(f"The invoice is paid: a credit note takes off the discount of {md(discount)}.")
    elif amount is not None:
        _explain_effect(amount, due)
    if amount is not None and received_on is not None:
        repeated_payment.warn(read, invoice.customer_id, Money(amount, due.currency), received_on, reference)
    ready = amount is not None and fee is not None and received_on is not None
    if st.button("Record payment", type="primary", icon=":material/check:", key="record_payment", disabled=not ready):
        facts = Received(due.currency, amount or 0, method, received_on, reference, note, fee or 0)
        with attempt("The payment is recorded") as session:
            received.record_for(
                session, actor, invoice_id, received=facts, today=read.day_of(invoice.business_id), now=utc_now()
            )


def _explain_effect(amount: int, due: Money) -> None:
    """What becomes of this amount, before it is recorded."""
    if amount > due.minor:
        surplus = formats.money(amount - due.minor, due.currency)
        st.info(f"The invoice is paid, and {surplus} is kept as the customer's credit.", icon=":material/savings:")
    elif amount == due.minor:
        st.caption("The invoice is paid in full.")
    elif amount > 0:
        st.caption(f"{formats.money(due.minor - amount, due.currency)} remains due.")


@st.dialog("Use the customer's credit", icon=":material/savings:")
def apply_credit(invoice_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    invoice = read(queries.one, invoice_id)
    available = read.plain(credit.balance, invoice.business_id, invoice.customer_id, invoice.currency)
    most = min(available.minor, invoice.due_minor)
    st.markdown(
        f"{md(invoice.customer_name)} has **{md(formats.money(available.minor, available.currency))}** of credit; "
        f"{md(formats.money(invoice.due_minor, invoice.currency))} is due."
    )
    amount = amount_field("Amount", most, invoice.currency, key=f"credit_amount_{invoice_id}")
    if st.button("Use credit", type="primary", icon=":material/check:", key="use_credit", disabled=amount is None):
        with attempt("Paid from the customer's credit") as session:
            credit.apply(
                session,
                actor,
                invoice_id,
                amount_minor=amount or 0,
                today=read.day_of(invoice.business_id),
                now=utc_now(),
            )


def credit_of(read: Reader, business_id: int, customer_id: int, currency: str) -> int:
    """The customer's credit in minor units, with the business that the invoice is of."""
    return read.plain(credit.balance, business_id, customer_id, currency).minor
