"""What one customer paid, what of it is credit, and what was paid back."""

import streamlit as st

from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from billing_core.payments import queries
from billing_core.payments.queries import PaymentFilter
from pages.customer_sections import cards_on_file, prepaid
from pages.payment_sections import credit, refunds
from pages.payment_sections.columns import open_payment, payments
from pages.ui import formats, tables
from pages.ui.reads import Reader

_PAGE_KEY = "customer_payments_page"


def draw(read: Reader, actor: Actor, customer: Customer) -> None:
    if actor.may(Permission.PAYMENT_WRITE) and st.button(
        "Record payment", icon=":material/add:", key="record_for_customer"
    ):
        st.switch_page("payments.py", query_params={"record": str(customer.id)})
    cards_on_file.draw(read, actor, customer)
    credit.of_customer(read, actor, customer.id)
    prepaid.draw(read, actor, customer)
    _received(read, customer)
    if read(queries.refund_count, customer_id=customer.id):
        st.subheader("Paid back", anchor=False)
        refunds.draw(read, customer.id)


def _received(read: Reader, customer: Customer) -> None:
    payment_filter = PaymentFilter(customer_id=customer.id)
    total = read(queries.count, payment_filter)
    if total == 0:
        st.info("This customer has not paid anything yet.", icon=":material/info:")
        return
    st.subheader("Received", anchor=False)
    sums = " · ".join(formats.money(one.minor, one.currency) for one in read(queries.totals, payment_filter))
    st.caption(f"In total {sums}, excluding what was undone" if sums else "All of these were undone")
    skipped = tables.pager(total, key=_PAGE_KEY, noun="payment", of=customer.id)
    tables.show(
        read(queries.page, payment_filter, limit=tables.PAGE_SIZE, offset=skipped),
        payments(with_customer=False),
        key="customer_payments",
        alt="Payments of this customer",
        opens=open_payment,
    )
    st.caption("Click a payment to see what it paid.")
