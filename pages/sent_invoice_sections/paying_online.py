"""Paying an invoice online: the link that customers pay by, what became of it, and disputes about what they paid."""

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import LinkState
from billing_core.invoices.rows import InvoiceView
from billing_core.online_payments import queries
from billing_core.online_payments.links import queries as links
from billing_core.online_payments.models import DisputeState
from pages.payment_link_sections import link as payment_link
from pages.payment_sections import cases
from pages.ui import context, formats
from pages.ui.reads import Reader
from pages.ui.text import md


def draw(read: Reader, actor: Actor, invoice: InvoiceView) -> int | None:
    """What an active link asks for, in minor units, or None.

    Of links it draws nothing where none was ever created: the button for it is among the invoice's actions.
    """
    if not actor.may(Permission.PAYMENT_READ):
        return None
    # Not from memory: a click or a refusal changes a link without anybody's doing here.
    with context.reading() as session:
        payment_links = links.of_invoice(session, actor, invoice.id)
    _disputes(read, invoice)
    _to_settle(read, invoice)
    if not payment_links:
        return None
    newest, earlier = payment_links[0], payment_links[1:]
    with st.container(border=True):
        payment_link.draw(read, actor, newest, version=invoice.version)
        if earlier:
            with st.expander(f"Earlier links ({len(earlier)})"):
                payment_link.earlier_ones(earlier, read.company.time_zone)
    return newest.amount_minor if newest.state is LinkState.ACTIVE else None


def _disputes(read: Reader, invoice: InvoiceView) -> None:
    """Disputes about what paid this invoice."""
    disputes = read(queries.disputes, invoice_id=invoice.id)
    for dispute in disputes:
        if dispute.state is DisputeState.OPEN:
            amount = formats.money(dispute.amount_minor, dispute.currency)
            st.error(
                f"The customer's bank asks for {md(amount)} back: {md(formats.words(dispute.reason).lower())}. "
                "Respond to it at the payment service in time.",
                icon=":material/gavel:",
            )
    if disputes:
        cases.disputes_table(disputes, read.company.time_zone, key="invoice_disputes")


def _to_settle(read: Reader, invoice: InvoiceView) -> None:
    """Money that came in for this invoice and did not pay it by itself."""
    for case in read(queries.cases_of_invoice, invoice.id):
        if case.settled_at is None:
            with st.container(border=True):
                st.warning(md(formats.with_days(case.said)), icon=":material/gavel:")
                st.page_link(
                    "payments.py",
                    label="Settle it",
                    icon=":material/arrow_forward:",
                    query_params={"payments_tab": "To settle"},
                )
