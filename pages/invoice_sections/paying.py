"""Marking several invoices as paid: a payment of what is due on each."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from billing_core.dates import utc_now
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.rows import InvoiceRow
from billing_core.money import Money
from billing_core.payments import received
from billing_core.payments.received import Received
from pages.invoice_sections import one_by_one
from pages.invoice_sections.columns import number
from pages.invoice_sections.one_by_one import Refused
from pages.invoice_sections.sums import by_currency
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.inputs.payments import early_offers, payment_method, repeated_payment
from pages.ui.reads import Reader

_REASONS = {
    InvoiceState.DRAFT: "is a draft: send it first",
    InvoiceState.PAID: "is paid already",
    InvoiceState.CANCELLED: "is cancelled",
}


@st.dialog("Mark invoices as paid", width="large", icon=":material/paid:", on_dismiss="rerun")
def dialog(rows: Sequence[InvoiceRow]) -> None:
    """What would be recorded, and what is left out and why; then record it."""
    actor = signed_in()
    read = Reader(actor)
    going = [row for row in rows if row.state is InvoiceState.OPEN]
    refused = [Refused(row, _REASONS[row.state]) for row in rows if row.state is not InvoiceState.OPEN]
    one_by_one.left_out(refused)
    if not going:
        st.info("None of these invoices is open, so there is nothing to pay.", icon=":material/info:")
        return
    shown = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = payment_method.choose("Paid by", key="paying_method", width=170)
        last = min(read.day_of(row.business_id) for row in going)
        day = st.date_input(
            "Received on", value=last, max_value=last, key="paying_day", width=150, format=formats.day_form()
        )
        reference = st.text_input("Reference", max_chars=received.LONGEST["reference"], key="paying_reference")
    # From here on what is due on each is what came in.
    going, discounted = _less_for_early_payment(read, going, day)
    with shown:
        _told(going, discounted=discounted)
    payments = [(row.customer_id, Money(row.due_minor, row.currency)) for row in going]
    repeated_payment.warn_of_many(read, payments, day, reference)
    if not st.button(
        f"Mark {formats.counted(len(going), 'invoice')} as paid", type="primary", icon=":material/paid:", key="pay"
    ):
        return

    def pay(session: Session, row: InvoiceRow) -> None:
        # Of exactly what was shown: where less is due by now, it is refused instead of becoming credit.
        received.record(
            session,
            actor,
            customer_id=row.customer_id,
            received=Received(row.currency, row.due_minor, method, day, reference),
            allocations={row.id: row.due_minor},
            today=read.day_of(row.business_id),
            now=utc_now(),
        )

    refused = one_by_one.carry_out(going, pay)
    one_by_one.finish(f"{formats.counted(len(going) - len(refused), 'invoice')} marked as paid.", refused)


def _told(going: Sequence[InvoiceRow], *, discounted: bool) -> None:
    amounts = " · ".join(formats.money(one.due_minor, one.currency) for one in by_currency(going))
    of_what = "of what is due, less the discount for early payment," if discounted else "of the whole amount due"
    st.markdown(
        f"A payment {of_what} is recorded for each of **{formats.counted(len(going), 'invoice')}**, "
        f"in total **{amounts}**. Nothing has been recorded yet; each can be undone on its invoice."
    )
    tables.show(
        going,
        [
            tables.computed("Invoice", number),
            tables.text("Customer", "customer_name"),
            tables.day("Due", "due_on"),
            tables.money("Payment", "due_minor"),
            tables.currency_of(),
        ],
        key="paying",
        alt="The payments that would be recorded",
        height="content" if len(going) <= 6 else 240,
    )


def _less_for_early_payment(read: Reader, going: list[InvoiceRow], paid_on: date) -> tuple[list[InvoiceRow], bool]:
    """With what customers had to pay who took their discount, where somebody says so; and whether anybody does."""
    offers = early_offers.running(read, going, paid_on)
    if not offers:
        return going, False
    count = formats.count(len(offers))
    st.caption(f"Early payment settles {count} of these for less: {early_offers.named(going, offers)}.")
    if not st.checkbox("The discount was taken; a credit note over it settles the invoice", key="paying_discount"):
        return going, False
    return [replace(row, due_minor=offers[row.id].to_pay_minor) if row.id in offers else row for row in going], True
