"""How a table shows invoices: the same on their own page and on a customer's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from billing_core.dates import Day
from billing_core.invoices.credit_notes import CreditNoteRow
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.rows import InvoiceRow
from billing_core.outbox.models import MessageState
from pages.ui import formats, mail_words, opened, tables
from pages.ui.colors import Color

STATUS_COLORS: dict[InvoiceStatus, Color] = {
    InvoiceStatus.DRAFT: "gray",
    InvoiceStatus.SENT: "blue",
    InvoiceStatus.VIEWED: "violet",
    InvoiceStatus.OVERDUE: "red",
    InvoiceStatus.PAID: "green",
    InvoiceStatus.REFUNDED: "orange",
    InvoiceStatus.CANCELLED: "gray",
}

# Beside the published status, which does not know it, and nothing of mails either.
_WRITTEN_OFF = "Written off"


def columns(
    today: Day, *, with_customer: bool = True, mails: Mapping[int, MessageState] = MappingProxyType({})
) -> list[tables.Column]:
    """``mails``: what became of the newest mail with each invoice."""
    customer = [tables.text("Customer", "customer_name", order="customer_name", width=150)] if with_customer else []
    return [
        replace(tables.computed("Number", number), order="number"),
        *customer,
        status_badge(today, mails),
        # In a narrow window the amounts come before what can be scrolled to.
        tables.money("Total", "total_minor", order="total_amount"),
        tables.money("Amount due", "due_minor", order="amount_due", help="What is still to be paid"),
        tables.currency_of(order="currency"),
        tables.day("Due", "due_on", order="due_on"),
        tables.computed("Late", partial(_late, today), right=True, width=85, help="Days since it was due"),
        tables.day("Issued", "issued_on", order="issued_on"),
    ]


def withdrawn(notes: Sequence[CreditNoteRow]) -> list[tables.Column]:
    """Where there is one, since when a credit note credits nothing any more."""
    why = "The early payment was undone or taken back: the note credits nothing since"
    return [tables.day("Withdrawn", "withdrawn_on", help=why)] if any(note.withdrawn_on for note in notes) else []


def status_badge(today: Day, mails: Mapping[int, MessageState]) -> tables.Column:
    names = {formats.words(status): color for status, color in STATUS_COLORS.items()}

    def status(row: InvoiceRow) -> list[str]:
        mail = mail_words.of_invoice(mails.get(row.id)) if row.state is InvoiceState.OPEN else None
        written_off = [_WRITTEN_OFF] if row.written_off_minor else []
        return [formats.words(row.status(today)), *written_off, *([mail[0]] if mail else [])]

    return tables.badges("Status", status, {**names, _WRITTEN_OFF: "orange", **mail_words.BESIDE_STATUS})


def number(row: InvoiceRow) -> str:
    """What people call it: a draft has no number yet."""
    return row.number or f"Draft {row.id}"


def open_invoice(row: InvoiceRow) -> None:
    opened.go_to_invoice(row.id)


def _late(today: Day, row: InvoiceRow) -> str:
    days = row.days_late(today)
    return "" if days is None else formats.counted(days, "day")
