"""Making the invoice of one organization's usage in a month: shown line by line first, then drafted."""

from decimal import Decimal

import streamlit as st

from billing_core.businesses import queries as businesses
from billing_core.customers.models import Customer
from billing_core.dates import Period, utc_now
from billing_core.identity import Actor, Permission
from billing_core.usage import billing
from billing_core.usage.billed.proposal import Proposal
from pages.report_sections import invoicing
from pages.ui import formats, messages, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import reading, transaction
from pages.ui.text import md

_NEEDED = (Permission.INVOICE_WRITE, Permission.USAGE_READ, Permission.PLAN_READ)


def button(actor: Actor, customer: Customer, period: Period) -> None:
    """For those who may make invoices."""
    if all(map(actor.may, _NEEDED)) and st.button(
        "Make the invoice", type="primary", icon=":material/request_quote:", key="make_usage_invoice"
    ):
        _dialog(customer.id, customer.name, period)


@st.dialog("Make the invoice", width="large", icon=":material/request_quote:")
def _dialog(customer_id: int, name: str, period: Period) -> None:
    actor = signed_in()
    month = md(formats.period(period))
    with reading() as session:
        proposal = billing.propose(session, actor, customer_id, period, now=utc_now())
    billable = proposal.billable
    if billable.period_id is not None:
        st.info(f"The usage of {month} is billed already.", icon=":material/task_alt:")
        if billable.invoice_id is None:
            st.caption("It came to nothing, so there is no invoice.")
        elif st.button("Open the invoice", type="primary", icon=":material/open_in_new:", key="open_usage_invoice"):
            opened.go_to_invoice(billable.invoice_id)
        return
    if billable.refusal:
        st.warning(f"{md(formats.sentence(billable.refusal))}.", icon=":material/block:")
        return
    st.markdown(f"**{md(name)}**, {month}. A draft is made; nothing is sent.")
    if not proposal.lines:
        st.info("It comes to nothing: the month is closed without an invoice.", icon=":material/check:")
        if st.button("Close the month", type="primary", icon=":material/check:", key="do_make_usage_invoice"):
            _make(actor, customer_id, name, period, Decimal(0))
        return
    rate = invoicing.tax_rate("Tax rate, %", key="usage_invoice_tax", width=130)
    if rate is None:
        return
    _lines(proposal, rate)
    if st.button("Make the draft", type="primary", icon=":material/note_add:", key="do_make_usage_invoice"):
        _make(actor, customer_id, name, period, rate)


def _lines(proposal: Proposal, rate: Decimal) -> None:
    tables.show(
        proposal.lines,
        [
            tables.text("Line", "words", width="large"),
            tables.money("Amount", "amount", width=120),
            tables.computed("Currency", lambda line: line.amount.currency, width=80),
            tables.computed("Tax, %", lambda line: formats.decimal(line.rate(rate)), right=True, width=70),
        ],
        key="proposed_lines",
        alt="Lines of the invoice that would be made",
    )
    totals = proposal.totals(rate)
    total = formats.money(totals.total_minor, totals.currency)
    net = formats.money(totals.subtotal_minor, totals.currency)
    taxes = [
        f"{formats.decimal(row.rate)} % tax of {formats.money(row.tax_minor, totals.currency)}"
        for row in totals.by_rate
        if row.rate
    ]
    of_it = f" = {' + '.join([net, *taxes])}" if taxes else ""
    st.markdown(f"Total **{md(total)}**{md(of_it)}")


def _make(actor: Actor, customer_id: int, name: str, period: Period, rate: Decimal) -> None:
    now = utc_now()
    with transaction() as session:
        today = businesses.days(session, now=now)
        made = billing.bill(session, actor, customer_id, period, now=now, today=today, tax_rate=rate)
    if not made.invoice_ids:
        messages.say(f"{formats.period(period)} of {name} is closed: it came to nothing")
        st.rerun()
    messages.say(f"Drafted the invoice of {name} for {formats.period(period)}. Read it, then send it.")
    opened.go_to_invoice(made.invoice_ids[0])
