"""Money that fits no invoice as it is, and disputes: what happened, and the ways to settle it."""

from datetime import date

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.online_payments import cases, queries
from billing_core.online_payments.models import CaseKind, DisputeState
from billing_core.online_payments.queries import CaseRow, DisputeRow
from billing_core.online_payments.webhooks import disputes
from billing_core.payments import credit
from billing_core.text import LONGEST_REASON
from pages.payment_sections import gateway_refund
from pages.ui import formats, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.reads import Reader
from pages.ui.text import md

KINDS = {
    CaseKind.AMOUNT_DIFFERS: "Amount differs",
    CaseKind.CURRENCY_DIFFERS: "Currency differs",
    CaseKind.NOTHING_DUE: "Nothing was due",
    CaseKind.REFUND_UNMATCHED: "Unmatched refund",
    CaseKind.REFUND_FAILED: "Refund failed",
    CaseKind.DISPUTE_LOST: "Dispute lost",
    CaseKind.MARKED_PAID: "Marked as paid",
}
DISPUTE_COLORS = {"Open": "red", "Won": "green", "Lost": "gray"}
_PAGE, _SETTLED_PAGE, _SIZE = "cases_page", "settled_cases_page", 20
_MOST_DISPUTES = 100


def draw(read: Reader, actor: Actor) -> None:
    waiting = read(queries.case_count)
    if waiting:
        skipped = tables.pager(waiting, key=_PAGE, noun="case", size=_SIZE)
        for case in read(queries.cases, limit=_SIZE, offset=skipped):
            _case(read, actor, case)
    else:
        st.info("There is nothing to settle.", icon=":material/task_alt:")
    _disputes(read)
    _settled(read)


def _case(read: Reader, actor: Actor, case: CaseRow) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(KINDS[case.kind], color="red", icon=":material/gavel:")
            st.markdown(f"**{md(formats.money(case.amount_minor, case.currency))}**", width="content")
            st.markdown(md(case.customer_name), width="content")
            st.caption(formats.instant(case.opened_at, read.company.time_zone), width="content")
        st.markdown(md(formats.with_days(case.said)))
        if case.kind is CaseKind.MARKED_PAID and not case.invoice_due_minor:
            st.caption("By now nothing is due on it here: note how it was settled.")
        with st.container(horizontal=True, vertical_alignment="center"):
            _links(case)
            if actor.may(Permission.PAYMENT_WRITE):
                _ways(case)


def _links(case: CaseRow) -> None:
    if case.invoice_id is not None:
        st.page_link(
            "invoice_editor.py",
            label=md(f"Invoice {case.invoice_number or case.invoice_id}"),
            icon=":material/request_quote:",
            query_params={"invoice": str(case.invoice_id)},
        )
    if case.payment_id is not None:
        st.page_link(
            "payments.py",
            label="Payment",
            icon=":material/payments:",
            query_params={"payment": str(case.payment_id)},
        )


def _ways(case: CaseRow) -> None:
    """What can be done about it. What was decided elsewhere is noted."""
    usable = _usable(case)
    if usable and st.button(
        "Use it for the invoice", icon=":material/savings:", key=f"case_apply_{case.id}", type="primary"
    ):
        apply(case, usable)
    came_in = case.payment_id if case.kind in cases.OF_RECEIPT else None
    if came_in is not None and st.button(
        "Refund it", icon=":material/currency_exchange:", key=f"case_refund_{case.id}"
    ):
        gateway_refund.dialog(came_in)
    if case.kind is CaseKind.DISPUTE_LOST and st.button(
        "Book what went back", icon=":material/undo:", key=f"case_back_{case.id}", type="primary"
    ):
        take_back(case)
    if st.button("Note how it was settled", icon=":material/check:", key=f"case_note_{case.id}", type="tertiary"):
        note(case)


def _usable(case: CaseRow) -> int:
    """What of the money can pay the invoice that it was meant for, in minor units."""
    if case.kind not in cases.OF_RECEIPT or case.invoice_id is None or case.invoice_currency != case.currency:
        return 0
    return min(case.amount_minor, case.invoice_due_minor or 0)


@st.dialog("Use it for the invoice", icon=":material/savings:")
def apply(case: CaseRow, amount_minor: int) -> None:
    """The money is the customer's credit: it pays the invoice that it was meant for, as far as it goes."""
    amount = formats.money(amount_minor, case.currency)
    due = formats.money(case.invoice_due_minor or 0, case.currency)
    left = case.amount_minor - amount_minor
    st.markdown(
        f"**{md(amount)}** of it pays invoice {md(case.invoice_number)}, on which {md(due)} is due."
        + (f" {md(formats.money(left, case.currency))} stays the customer's credit." if left else "")
    )
    if st.button("Use it", type="primary", icon=":material/check:", key="do_case_apply"):
        actor, now = signed_in(), utc_now()
        today = _today(actor, case)
        with attempt(f"{amount} pays the invoice") as session:
            settlement = f"{amount} used for invoice {case.invoice_number}"
            cases.settle(session, actor, case.id, settlement=settlement, now=now)
            credit.apply(session, actor, case.invoice_id or 0, amount_minor=amount_minor, today=today, now=now)


def _today(actor: Actor, case: CaseRow) -> date:
    read = Reader(actor)
    return read.today if case.business_id is None else read.day_of(case.business_id)


_DUE, _LOST = "It is due again", "It is a loss"


@st.dialog("Book what went back", icon=":material/undo:")
def take_back(case: CaseRow) -> None:
    """The money is gone: our books say so too."""
    amount = formats.money(case.amount_minor, case.currency)
    st.markdown(
        f"**{md(amount)}** went back to the payer's bank. It is taken from what of the payment is kept as credit, then "
        "from the invoices that it paid."
    )
    what = st.radio(
        "What becomes of what it had paid",
        (_DUE, _LOST),
        key=f"case_back_as_{case.id}",
        captions=("The customer is asked for it again.", "It is written off, and nobody is asked for it."),
    )
    if st.button("Book it", type="primary", icon=":material/check:", key="do_case_back"):
        actor, lost = signed_in(), what == _LOST
        said = "is written off" if lost else "is due again"
        with attempt(f"{amount} is booked as taken back, and what it had paid {said}") as session:
            disputes.take_back(session, actor, case.id, lost=lost, today=_today(actor, case), now=utc_now())


@st.dialog("Note how it was settled", icon=":material/check:")
def note(case: CaseRow) -> None:
    st.markdown(md(formats.with_days(case.said)))
    settlement = st.text_input(
        "How it was settled",
        key=f"case_settlement_{case.id}",
        max_chars=LONGEST_REASON,
        required=True,
        placeholder="Such as: kept as credit, as agreed with the customer",
    )
    st.caption("This changes no amounts: what is kept as credit stays credit.")
    if st.button("Settled", type="primary", icon=":material/check:", key="do_case_note"):
        with attempt("The case is settled") as session:
            cases.settle(session, signed_in(), case.id, settlement=settlement, now=utc_now())


def _disputes(read: Reader) -> None:
    rows = read(queries.disputes, limit=_MOST_DISPUTES)
    if not rows:
        return
    st.subheader("Disputes", anchor=False)
    disputes_table(rows, read.company.time_zone, key="disputes")
    st.caption(
        "A customer has asked their bank for the money back. Respond to it at the payment service in time."
        + (f" The newest {_MOST_DISPUTES} are shown." if len(rows) == _MOST_DISPUTES else "")
    )


def disputes_table(rows: list[DisputeRow], zone: str, *, key: str) -> None:
    """The same on an invoice's page and a payment's."""
    tables.show(
        rows,
        [
            tables.badge("State", _dispute_state, DISPUTE_COLORS),
            tables.text("Customer", "customer_name"),
            tables.money("Amount", "amount_minor"),
            tables.money("Fee", "fee_minor", help="What the payment service keeps for it"),
            tables.currency_of(),
            tables.words("Reason", "reason"),
            tables.instant("Opened", "opened_at", zone),
            tables.instant("Closed", "closed_at", zone),
            tables.text("Key", "gateway_id", help="What the payment service calls it"),
        ],
        key=key,
        alt="Disputes about payments",
        opens=lambda row: opened.go_to_payment(row.payment_id),
    )


def _dispute_state(row: DisputeRow) -> str:
    return {DisputeState.OPEN: "Open", DisputeState.WON: "Won", DisputeState.LOST: "Lost"}[row.state]


def _settled(read: Reader) -> None:
    total = read(queries.case_count, settled=True)
    if not total:
        return
    with st.expander(f"Settled earlier ({formats.count(total)})"):
        skipped = tables.pager(total, key=_SETTLED_PAGE, noun="case", size=_SIZE)
        tables.show(
            read(queries.cases, settled=True, limit=_SIZE, offset=skipped),
            [
                tables.instant("Settled", "settled_at", read.company.time_zone),
                tables.text("By", "settled_by"),
                tables.computed("What", lambda row: KINDS[row.kind]),
                tables.text("Customer", "customer_name"),
                tables.money("Amount", "amount_minor"),
                tables.currency_of(),
                tables.text("How", "settlement", width="large"),
            ],
            key="settled_cases",
            alt="Cases that were settled",
        )
