"""Creating a payment link: what exactly the customer will be asked to pay, one confirmation, and ending a link."""

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor
from billing_core.invoices import queries
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.rows import InvoiceView
from billing_core.online_payments.gateway import Charge, ChargeLine
from billing_core.online_payments.links import link_candidates, workflow
from billing_core.online_payments.links.link_candidates import PayableRow
from billing_core.online_payments.links.queries import LinkRow
from billing_core.text import LONGEST_REASON
from pages.invoice_document_sections.changes import attempt, forget_open_draft
from pages.ui import collection_mode, context, formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.inputs import lacking
from pages.ui.reads import Reader
from pages.ui.text import md

REPLACED = "Replaced by a new link"
_MOST_OFFERED = 50


@st.dialog("Payment link", width="medium", icon=":material/add_link:")
def dialog(invoice_id: int) -> None:
    """See what will be charged, and create the link."""
    actor = signed_in()
    read = Reader(actor)
    confirm(actor, read, read(queries.one, invoice_id))


@st.dialog("New link", width="medium", icon=":material/autorenew:")
def again(link: LinkRow) -> None:
    """End the link that there is, and create another one."""
    actor = signed_in()
    invoice = Reader(actor)(queries.one, link.invoice_id)
    st.markdown(
        f"The link of {md(invoice.number)} stops working, and a new one for "
        f"**{md(formats.money(invoice.due_minor, invoice.currency))}** takes its place. Send the new one to the "
        "customer: the old one tells them that it is no longer valid."
    )
    if st.button("Create new link", type="primary", icon=":material/autorenew:", key="do_renew_link"):
        with collection_mode.asking("The new payment link is ready") as sessions:
            with sessions.begin() as session:
                workflow.deactivate(session, actor, link.id, reason=REPLACED, now=utc_now())
            workflow.create(sessions, actor, collection_mode.gateway(), link.invoice_id, now=utc_now())


@st.dialog("Deactivate the payment link", icon=":material/link_off:")
def deactivate(link: LinkRow) -> None:
    actor = signed_in()
    st.markdown(
        f"Nobody can pay {md(link.invoice_number or link.customer_name)} by this link any more. The invoice remains "
        "due, and can get another link."
    )
    reason = st.text_input(
        "Reason",
        key=f"deactivate_reason_{link.id}",
        max_chars=LONGEST_REASON,
        required=True,
        placeholder="Such as: they pay by bank transfer",
    )
    if st.button("Deactivate", type="primary", icon=":material/link_off:", key="do_deactivate_link"):
        with attempt("The payment link is deactivated") as session:
            workflow.deactivate(session, actor, link.id, reason=reason, now=utc_now())


@st.dialog("Payment link", width="medium", icon=":material/add_link:")
def choose() -> None:
    """Choose the invoice first; afterwards the page shows the link."""
    actor = signed_in()
    read = Reader(actor)
    text = st.text_input(
        "Find the invoice",
        key="payable_text",
        type="search",
        placeholder="Number, customer, reference, amount",
        live=True,
    )
    candidates = {row.id: row for row in read(link_candidates.search, text or "", limit=_MOST_OFFERED)}
    if not candidates:
        st.info(
            "No matching invoice can get a link: it must be a draft or open, with something due, and have none yet.",
            icon=":material/info:",
        )
        return
    # Its own for what is found alone: a box that is there already does not choose anew.
    alone = str(*candidates) if len(candidates) == 1 else ""
    chosen = st.selectbox(
        "Invoice",
        list(candidates),
        index=0 if alone else None,
        format_func=lambda one: _named(candidates[one]) if one in candidates else str(one),
        placeholder="Choose one" + (f" of the newest {_MOST_OFFERED}" if len(candidates) == _MOST_OFFERED else ""),
        key=f"payable_invoice_{alone}",
    )
    if chosen is not None:
        confirm(actor, read, read(queries.one, chosen), opens=True)


def confirm(actor: Actor, read: Reader, invoice: InvoiceView, *, opens: bool = False) -> None:
    """What the customer will be asked to pay, and the button that has it asked. ``opens``: the page shows the link."""
    collection_mode.mark()
    try:
        with runtime.sessions()() as session:
            charge = workflow.preview(session, actor, invoice.id, today=read.day_of(invoice.business_id))
    except BillingError as error:
        context.refused(error)
        return
    _charge(charge, invoice)
    if invoice.state is InvoiceState.DRAFT:
        lacking.warn(read, actor, invoice)
        st.warning(
            "The draft becomes an invoice with a number, posted to the ledger. **This cannot be undone.** No mail goes "
            "out by itself.",
            icon=":material/lock:",
        )
    if st.button("Create payment link", type="primary", icon=":material/add_link:", key="do_create_link"):
        forget_open_draft()
        with collection_mode.asking("The payment link is ready") as sessions:
            link_id = workflow.create(sessions, actor, collection_mode.gateway(), invoice.id, now=utc_now())
            if opens:
                st.query_params["link"] = str(link_id)


def _named(row: PayableRow) -> str:
    return f"{row.number or 'Draft'} · {row.customer_name} · {formats.money(row.due_minor, row.currency)}"


def _charge(charge: Charge, invoice: InvoiceView) -> None:
    named = f"Invoice {invoice.number}" if invoice.number else "This draft"
    st.markdown(
        f"{md(named)}: {md(charge.customer_name)} will be asked to pay exactly "
        f"**{md(formats.money(charge.amount_minor, charge.currency))}**."
    )
    tables.show(
        charge.lines,
        [
            tables.computed("What they see", lambda line: line.name, width="large"),
            tables.computed("Quantity", lambda line: formats.count(line.quantity), right=True),
            tables.computed(
                f"Amount, {charge.currency}", lambda line: formats.amount(_amount(line), charge.currency), right=True
            ),
        ],
        key=f"charge_{invoice.id}",
        alt="What the customer will be asked to pay",
        height="content" if len(charge.lines) <= 8 else 320,
    )
    # A draft asks for nothing yet: once sent, for all of it.
    due = invoice.total_minor if invoice.state is InvoiceState.DRAFT else invoice.due_minor
    agree = sum(map(_amount, charge.lines)) == charge.amount_minor == due
    st.caption(
        (":material/check: The lines add up to the amount due. " if agree else "")
        + (f"For {md(charge.customer_email)}. " if charge.customer_email else "")
        + "It can be paid once."
    )


def _amount(line: ChargeLine) -> int:
    return line.unit_minor * line.quantity
