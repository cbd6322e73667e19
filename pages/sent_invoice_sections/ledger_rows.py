"""The rows of the ledger behind an invoice's amounts, and the check that they add up to them."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from billing_core.invoices import queries
from billing_core.invoices.rows import InvoiceView
from billing_core.ledger import queries as ledger
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.queries import Counted, Movement
from pages.ui import formats, tables
from pages.ui.context import actor as signed_in
from pages.ui.figures.cards import wall
from pages.ui.reads import Reader
from pages.ui.text import md


@dataclass(frozen=True, slots=True)
class Amount:
    """One of an invoice's amounts, and which postings to what the customer owes it is the sum of. ``sign`` -1: what
    lowers the debt is a credit in the ledger.
    """

    label: str
    minor: Callable[[InvoiceView], int]
    counts: Callable[[Movement], bool]
    sign: int = 1
    always: bool = False


def _about(*kinds: EntryKind) -> Callable[[Movement], bool]:
    return lambda movement: movement.about in kinds


_PAID = (EntryKind.PAYMENT, EntryKind.CREDIT_APPLIED, EntryKind.CHARGEBACK)
AMOUNTS = {
    "total": Amount("Total", lambda one: one.total_minor, lambda row: row.kind is EntryKind.INVOICE, always=True),
    "paid": Amount("Paid", lambda one: one.paid_minor, _about(*_PAID), -1),
    "credited": Amount("Credited", lambda one: one.credited_minor, _about(EntryKind.CREDIT_NOTE), -1),
    "written_off": Amount("Written off", lambda one: one.written_off_minor, _about(EntryKind.WRITE_OFF), -1),
    "due": Amount("Amount due", lambda one: one.due_minor, lambda _: True, always=True),
}
_WORDS = {
    EntryKind.INVOICE: "Invoice sent",
    EntryKind.PAYMENT: "Payment",
    EntryKind.REFUND: "Refund",
    EntryKind.CREDIT_NOTE: "Credit note",
    EntryKind.CREDIT_APPLIED: "Customer credit",
    EntryKind.CREDIT_PAID_OUT: "Credit paid out",
    EntryKind.WRITE_OFF: "Written off",
    EntryKind.CHARGEBACK: "Chargeback",
}


def cards(invoice: InvoiceView) -> None:
    """The amounts of a sent invoice, each opening into its rows."""
    shown = {key: one for key, one in AMOUNTS.items() if one.always or one.minor(invoice)}
    with wall(len(shown) + bool(invoice.refunded_minor)):
        for key, one in shown.items():
            with st.container(border=True, gap="xxsmall", height="stretch"):
                st.metric(one.label, formats.money(one.minor(invoice), invoice.currency))
                if st.button("Show rows", key=f"ledger_{key}", type="tertiary", icon=":material/table_rows:"):
                    panel(invoice.id, key)
        if invoice.refunded_minor:
            with st.container(border=True, gap="xxsmall", height="stretch"):
                st.metric("Refunded", formats.money(invoice.refunded_minor, invoice.currency))
                st.caption("Of what was paid; the refunds are listed below.")


@st.dialog("Where this amount comes from", width="large", icon=":material/account_tree:")
def panel(invoice_id: int, key: str) -> None:
    """The postings to what the customer owes for this invoice, their sum, and whether it is the amount."""
    read, amount = Reader(signed_in()), AMOUNTS[key]
    invoice = read(queries.one, invoice_id)
    movements = read(ledger.movements, Counted(account=Account.RECEIVABLE, invoice_id=invoice_id))
    rows = [movement for movement in movements if amount.counts(movement)]
    minor, total = amount.minor(invoice), amount.sign * sum(movement.amount_minor for movement in rows)
    st.metric(amount.label, formats.money(minor, invoice.currency))
    st.caption(f"Postings to what {md(invoice.customer_name)} owes for {md(invoice.number)}, in the order of posting.")
    if total == minor:
        st.success(f"Sum of the rows: {formats.money(total, invoice.currency)} = the amount ✓")
    else:
        st.error(
            f"The rows add up to {formats.money(total, invoice.currency)}, not to "
            f"{formats.money(minor, invoice.currency)}. Reload the page; if it stays, run “python -m billing_core "
            "verify”.",
            icon=":material/error:",
        )
    tables.show(
        rows,
        [
            tables.day("Effective on", "effective_on"),
            tables.computed("What", words),
            tables.text("Note", "memo", width="medium"),
            tables.computed(
                "Amount", lambda row: formats.amount(amount.sign * row.amount_minor, row.currency), right=True
            ),
            tables.currency_of(),
            tables.computed("Entry", lambda row: f"#{row.entry_id}"),
            tables.text("By", "recorded_by"),
        ],
        key=f"ledger_rows_{key}",
        alt=f"Postings behind {amount.label}",
    )


def words(row: Movement) -> str:
    """What the entry was."""
    from_prepaid = row.prepaid and row.about is EntryKind.CREDIT_APPLIED
    named = "Prepaid credit" if from_prepaid else _WORDS.get(row.about, formats.words(row.about.value))
    return named if row.kind is row.about else f"{named}, reversed"


def posted_minor(read: Reader, invoice: InvoiceView) -> int:
    """What the ledger has posted as owed when the invoice was sent."""
    movements = read(ledger.movements, Counted(account=Account.RECEIVABLE, invoice_id=invoice.id), limit=1)
    return sum(movement.amount_minor for movement in movements)
