"""Taking back what was paid for an invoice."""

import streamlit as st

from billing_core.dates import utc_now
from billing_core.payments import credit, received
from billing_core.payments.models import AllocationKind, PaymentMethod
from billing_core.payments.queries import AllocationRow
from pages.ui import formats
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.reads import Reader


@st.dialog("Reverse a payment", icon=":material/undo:")
def dialog(row: AllocationRow) -> None:
    """Undo a payment that was recorded wrongly, or turn what it paid here into credit."""
    actor = signed_in()
    read = Reader(actor)
    amount = formats.money(row.amount_minor, row.currency)
    ways = {"release": f"Keep the money as the customer's credit: {amount} becomes due here again"}
    if row.kind is AllocationKind.PREPAID:
        ways = {"release": f"Give it back to the prepaid credit that it came from: {amount} becomes due here again"}
    if row.payment_id is not None and row.method is not PaymentMethod.STRIPE:
        ways = {"undo": "The payment was recorded by mistake: undo all of it, on every invoice that it paid", **ways}
    way = st.radio("What should happen", list(ways), format_func=ways.__getitem__, key=f"undo_way_{row.id}")
    reason = st.text_input("Reason", key=f"undo_reason_{row.id}", max_chars=200, required=True)
    st.caption("The ledger gets a reversing entry; the original stays.")
    if st.button("Reverse", type="primary", icon=":material/undo:", key="take_back"):
        with attempt(f"{amount} is due again") as session:
            if way == "undo" and row.payment_id is not None:
                received.undo(
                    session, actor, row.payment_id, reason=reason, today=read.day_of(row.business_id), now=utc_now()
                )
            else:
                credit.release(session, actor, row.id, reason=reason, today=read.day_of(row.business_id), now=utc_now())
