"""One payment: what it paid, what of it is kept as credit, what happened to it, and taking it back."""

import streamlit as st

from billing_core.dates import day_in, utc_now
from billing_core.identity import Actor, Permission
from billing_core.online_payments import queries as online_payments
from billing_core.payments import chargeback_queries, queries, received
from billing_core.payments.chargeback_queries import ChargebackRow
from billing_core.payments.queries import AllocationRow, PaymentRow
from pages.payment_sections import cases, columns, gateway_refund, reversal
from pages.payment_sections.columns import state_of
from pages.ui import formats, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.figures.cards import wall
from pages.ui.reads import Reader
from pages.ui.text import md

_TAKE_OFF = "payment_allocation_to_take_off"


def draw(read: Reader, actor: Actor, identity: str) -> None:
    opened.back("All payments", "payment")
    payment_id = opened.parsed(identity)
    if payment_id is None:
        st.error(f"There is no payment “{md(identity)}”", icon=":material/error:")
        return
    payment = read(queries.one, payment_id)
    may_change = actor.may(Permission.PAYMENT_WRITE) and payment.undone_at is None
    _header(payment, may_change=may_change)
    _amounts(payment)
    taken = read(chargeback_queries.of_payment, payment_id=payment.id)
    _gateway(read, payment, taken)
    allocations = read(queries.allocations, payment_id=payment.id)
    _paid(allocations, may_change=may_change)
    _events(payment, allocations, taken, read.company.time_zone)
    released: AllocationRow | None = st.session_state.pop(_TAKE_OFF, None)
    if released is not None:
        reversal.dialog(released)


def _header(payment: PaymentRow, *, may_change: bool) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(
            md(f"Payment of {formats.money(payment.amount_minor, payment.currency)}"), anchor=False, width="content"
        )
        with st.container(horizontal=True, width="content"):
            if (
                may_change
                and payment.gateway_key
                and st.button("Refund", icon=":material/currency_exchange:", key="refund_payment")
            ):
                gateway_refund.dialog(payment.id)
            # What came in online was not recorded wrongly: it is refunded.
            mistaken = may_change and payment.gateway_key is None
            if mistaken and st.button("Undo payment", icon=":material/undo:", key="undo_payment"):
                undo(payment.id)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        stands = payment.undone_at is None
        st.badge(state_of(payment), color="green" if stands else "gray", icon=":material/payments:")
        facts = (formats.words(payment.method.value), formats.day(payment.received_on), payment.reference)
        st.markdown(md(" · ".join(fact for fact in facts if fact)), width="content")
        if st.button(md(payment.customer_name), key="to_customer", icon=":material/groups:", type="tertiary"):
            st.switch_page(
                "customers.py", query_params={"customer": str(payment.customer_id), "customer_tab": "Payments"}
            )
    if payment.undone_at is not None:
        st.warning(f"This payment was undone: {md(payment.undone_reason)}", icon=":material/undo:")
    if payment.note:
        st.caption(md(payment.note))


def _amounts(payment: PaymentRow) -> None:
    shown = {"Received": payment.amount_minor}
    if payment.undone_at is None:
        shown |= {"Paid invoices": int(payment.allocated_minor), "Kept as credit": int(payment.kept_minor)}
    if payment.charged_back_minor:
        shown["Taken back by the bank"] = int(payment.charged_back_minor)
    if payment.fee_minor:
        kept_by = "the payment service" if payment.gateway_key else "the bank"
        shown[f"Fee kept by {kept_by}"] = payment.fee_minor
    with wall(len(shown)):
        for label, minor in shown.items():
            with st.container(border=True, height="stretch"):
                st.metric(label, formats.money(minor, payment.currency))


def _gateway(read: Reader, payment: PaymentRow, taken: list[ChargebackRow]) -> None:
    """What the payment service calls it, and disputes about it."""
    if payment.gateway_key is None:
        return
    names = dict.fromkeys(name for name in (payment.gateway_key, payment.intent_id, payment.charge_id) if name)
    st.caption("At the payment service: " + " · ".join(map(md, names)))
    back = read(queries.refunds, payment_id=payment.id)
    if back:
        st.subheader("Refunds", anchor=False)
        tables.show(back, columns.refunds(with_customer=False), key="payment_refunds", alt="Refunds of this payment")
    disputes = read(online_payments.disputes, payment_id=payment.id)
    if disputes:
        st.subheader("Disputes", anchor=False)
        cases.disputes_table(disputes, read.company.time_zone, key="payment_disputes")
    if taken:
        st.subheader("Taken back by the bank", anchor=False)
        shown = columns.chargebacks()
        tables.show(taken, shown, key="payment_chargebacks", alt="What the payer's bank took back of this payment")


def _paid(allocations: list[AllocationRow], *, may_change: bool) -> None:
    st.subheader("What it paid", anchor=False)
    if not allocations:
        st.caption("No invoice: all of it became the customer's credit.")
        return
    shown = [
        tables.computed("Invoice", lambda row: row.invoice_number or f"#{row.invoice_id}"),
        tables.day("Applied on", "allocated_on"),
        tables.money("Amount", "amount_minor"),
        tables.currency_of(),
        tables.badge(
            "State",
            _allocation_state,
            {"Paid": "green", "Reversed": "gray", "Replaced": "gray"},
        ),
    ]
    if may_change:
        take = tables.computed("Unallocate", lambda row: "" if row.undone_at else "Unallocate …")
        shown.append(take.opening(_ask_to_take_off))
    tables.show(
        allocations,
        shown,
        key="allocations",
        alt="The invoices that this payment paid",
        opens=lambda row: opened.go_to_invoice(row.invoice_id),
    )
    st.caption(
        "Click a row to open the invoice"
        + (", “Unallocate” to keep what it got as the customer's credit." if may_change else ".")
    )


def _allocation_state(row: AllocationRow) -> str:
    if row.undone_at is None:
        return "Paid"
    return "Replaced" if row.by_bank else "Reversed"


def _events(payment: PaymentRow, allocations: list[AllocationRow], taken: list[ChargebackRow], zone: str) -> None:
    st.subheader("What happened", anchor=False)
    recorded = f"recorded by {payment.created_by}"
    happened = [(payment.created_at, recorded)]
    for row in allocations:
        amount = formats.money(row.amount_minor, row.currency)
        if row.undone_at is not None and row.undone_at != payment.undone_at and not row.by_bank:
            happened.append((row.undone_at, f"{amount} unallocated from invoice {row.invoice_number}, kept as credit"))
    for part in taken:
        amount = formats.money(part.amount_minor, part.currency)
        happened.append((part.created_at, f"{amount} taken back by the payer's bank, booked by {part.created_by}"))
        if part.returned_at is not None:
            happened.append((part.returned_at, f"{amount} returned by the bank"))
    if payment.undone_at is not None:
        happened.append((payment.undone_at, f"undone: {payment.undone_reason}"))
    for when, what in sorted(happened):
        st.markdown(f"{md(formats.instant(when, zone))} — {md(what)}")
    on = day_in(zone, payment.created_at)
    if on != payment.received_on:
        st.caption(f"It is posted on {formats.day(payment.received_on)}, the day on which the money came in.")


@st.dialog("Undo the payment", icon=":material/undo:")
def undo(payment_id: int) -> None:
    """Say in words what becomes of it, and take it back with a reason."""
    actor = signed_in()
    read = Reader(actor)
    payment = read(queries.one, payment_id)
    invoices = [row for row in read(queries.allocations, payment_id=payment_id) if row.undone_at is None]
    due = f"{formats.counted(len(invoices), 'invoice')} is due again. " if len(invoices) == 1 else ""
    due = due or (f"{formats.counted(len(invoices), 'invoice')} are due again. " if invoices else "")
    from_credit = formats.money(int(payment.kept_minor), payment.currency)
    st.markdown(
        f"**{md(formats.money(payment.amount_minor, payment.currency))}** from {md(payment.customer_name)} is "
        f"reversed. {due}"
        + (f"{md(from_credit)} of the customer's credit goes with it. " if payment.kept_minor else "")
        + "Do this if the payment was recorded by mistake; to give money back, refund it."
    )
    reason = st.text_input("Reason", key=f"undo_payment_reason_{payment_id}", max_chars=200, required=True)
    st.caption("The ledger gets a reversing entry; the original stays.")
    if st.button("Undo payment", type="primary", icon=":material/undo:", key="do_undo_payment"):
        with attempt("The payment is undone") as session:
            received.undo(
                session, actor, payment_id, reason=reason, today=read.day_of(payment.business_id), now=utc_now()
            )


def _ask_to_take_off(row: AllocationRow) -> None:
    if row.undone_at is None:
        st.session_state[_TAKE_OFF] = row
