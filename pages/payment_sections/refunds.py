"""What was paid back."""

import streamlit as st

from billing_core.payments import queries
from pages.payment_sections import columns
from pages.ui import tables
from pages.ui.reads import Reader


def draw(read: Reader, customer_id: int | None = None) -> None:
    total = read(queries.refund_count, customer_id=customer_id)
    if total == 0:
        st.info("Nothing was paid back yet. An invoice is refunded on its own page.", icon=":material/info:")
        return
    skipped = tables.pager(total, key="refunds_page", noun="refund", of=customer_id)
    tables.show(
        read(queries.refunds, customer_id=customer_id, limit=tables.PAGE_SIZE, offset=skipped),
        columns.refunds(with_customer=customer_id is None),
        key="refunds",
        alt="Refunds",
        # On the page of the customer there is no way to that page.
        opens=columns.open_refunded if customer_id is None else columns.open_refunded_invoice,
    )
    paid_out = ", or the customer whose credit was paid out" if customer_id is None else ""
    st.caption(f"Click a refund to open its invoice{paid_out}.")
