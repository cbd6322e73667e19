"""Customers' credit: money that came in and has paid no invoice yet, and what can be done with it."""

import streamlit as st

from billing_core import figures
from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.invoices import queries as invoices
from billing_core.invoices.content import early_payment
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.queries import InvoiceFilter
from billing_core.money import Money
from billing_core.payments import credit
from billing_core.payments.models import PaymentMethod
from billing_core.receivables.figures import CUSTOMER_CREDIT
from pages.ui import formats, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import business_names
from pages.ui.inputs.amount_field import amount_field
from pages.ui.reads import Reader
from pages.ui.text import md

OPEN = (InvoiceStatus.SENT, InvoiceStatus.VIEWED, InvoiceStatus.OVERDUE)
MOST_INVOICES = 200
METHODS = list(PaymentMethod)


def draw(read: Reader, actor: Actor) -> None:
    """All customers that have any."""
    scope = Scope(customer_id=actor.customer_id)
    total = read(figures.row_count, CUSTOMER_CREDIT, scope)
    if total == 0:
        st.info(
            "No customer has credit. It arises when a payment exceeds the invoices that it pays.",
            icon=":material/savings:",
        )
        return
    sums = read(figures.money, CUSTOMER_CREDIT, scope)
    st.caption("In total " + " · ".join(formats.money(one.minor, one.currency) for one in sums))
    skipped = tables.pager(total, key="credit_page", noun="balance")
    tables.show(
        read(figures.page, CUSTOMER_CREDIT, scope, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.text("Customer", "label"),
            tables.day("Last change", "date"),
            tables.money("Credit", "amount"),
            tables.currency_of(),
        ],
        key="credits",
        alt="Customers with credit",
        opens=lambda row: opened.go_to_customer(row.id, "Payments"),
    )
    st.caption("Click a customer to use the credit for an invoice or to pay it out.")


def of_customer(read: Reader, actor: Actor, customer_id: int) -> None:
    """One customer's balances, each with what can be done with it."""
    balances = read(credit.balances, customer_id)
    if not balances:
        return
    names = business_names.by_id(read)
    st.subheader("Credit", anchor=False)
    with st.container(border=True, gap="xsmall"):
        for business_id, balance in balances:
            key = f"{business_id}_{balance.currency}"
            what, use, out = st.columns([9, 9, 7], vertical_alignment="center", gap="small")
            with_whom = f" with {names[business_id]}" if len(names) > 1 else ""
            what.markdown(f"**{md(formats.money(balance.minor, balance.currency))}**{md(with_whom)}")
            if not actor.may(Permission.PAYMENT_WRITE):
                continue
            if use.button("Use for an invoice", key=f"use_{key}", icon=":material/savings:", width="stretch"):
                apply(customer_id, business_id, balance.currency)
            if out.button("Pay out", key=f"pay_out_{key}", icon=":material/currency_exchange:", width="stretch"):
                pay_out(customer_id, business_id, balance.currency)


@st.dialog("Use the customer's credit", icon=":material/savings:")
def apply(customer_id: int, business_id: int, currency: str) -> None:
    actor = signed_in()
    read = Reader(actor)
    available = read.plain(credit.balance, business_id, customer_id, currency)
    invoice_filter = InvoiceFilter(
        status=OPEN, customer_id=customer_id, business_id=business_id, currency=currency, order_by="due_on"
    )
    open_invoices = {row.id: row for row in read(invoices.page, invoice_filter, today=read.days, limit=MOST_INVOICES)}
    if not open_invoices:
        st.info(f"This customer owes nothing in {currency}: there is no open invoice.", icon=":material/info:")
        return
    st.markdown(f"**{md(formats.money(available.minor, currency))}** of credit can be used.")

    def name(invoice_id: int) -> str:
        row = open_invoices[invoice_id]
        return f"{row.number}, {formats.money(row.due_minor, currency)} due on {formats.day(row.due_on)}"

    chosen = st.selectbox("Invoice", list(open_invoices), format_func=name, key="credit_for_invoice")
    most = min(available.minor, open_invoices[chosen].due_minor)
    early = early_payment.best_on(read(invoices.one, chosen), read.day_of(business_id))
    if early is not None and early.to_pay_minor <= available.minor:
        most = early.to_pay_minor
        discount, until = formats.money(early.discount_minor, currency), formats.day(early.until)
        st.caption(f"Exactly that settles it until {md(until)}: {md(discount)} of early-payment discount come off.")
    amount = amount_field("Amount", most, currency, key=f"credit_for_{chosen}")
    if st.button("Use credit", type="primary", icon=":material/check:", key="use_credit", disabled=amount is None):
        with attempt("Paid from the customer's credit") as session:
            credit.apply(
                session, actor, chosen, amount_minor=amount or 0, today=read.day_of(business_id), now=utc_now()
            )


@st.dialog("Pay credit out", icon=":material/currency_exchange:")
def pay_out(customer_id: int, business_id: int, currency: str) -> None:
    actor = signed_in()
    read = Reader(actor)
    customer = read(customers.one, customer_id)
    available = read.plain(credit.balance, business_id, customer_id, currency)
    st.markdown(f"{md(customer.name)} has **{md(formats.money(available.minor, currency))}** of credit.")
    amount = amount_field("Amount", available.minor, currency, key=f"pay_out_amount_{customer_id}")
    method = st.selectbox("Method", METHODS, format_func=lambda one: formats.words(one.value), key="pay_out_method")
    reference = st.text_input("Reference", key="pay_out_reference", max_chars=120)
    reason = st.text_input("Reason", key="pay_out_reason", max_chars=200, required=True)
    st.caption("This only records that the money went back; it moves none. It cannot be undone.")
    if st.button("Record", type="primary", icon=":material/check:", key="do_pay_out", disabled=amount is None):
        with attempt("The credit is paid out") as session:
            credit.pay_out(
                session,
                actor,
                customer_id=customer_id,
                business_id=business_id,
                amount=Money(amount or 0, currency),
                method=method,
                reason=reason,
                reference=reference,
                today=read.day_of(business_id),
                now=utc_now(),
            )
