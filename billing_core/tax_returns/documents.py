"""What each document says about tax, as SQL: a row for each document and rate.

An invoice counts on its own day, a credit note on its own, and what a withdrawn one had credited is back again on the
day of that. A cancelled invoice has no second document: what credit
notes have left of it is taken off on the day on which cancelling was posted. What was written off stays taxed, and so
do invoices that nobody has paid: tax is owed by what was agreed. Drafts do not count.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Select, String, Subquery, case, cast, func, literal, select, text, union_all
from sqlalchemy.orm import aliased

from billing_core.database.functions import equals
from billing_core.figures import Scope
from billing_core.invoices.content.tax_rows import InvoiceTax
from billing_core.invoices.models import LISTED, CreditNote, CreditNoteLine, Invoice, InvoiceState
from billing_core.ledger.models import EntryKind, LedgerEntry

INVOICE, CREDIT_NOTE, CANCELLATION = "invoice", "credit_note", "cancellation"
WITHDRAWAL = "credit_note_withdrawn"


@dataclass(frozen=True, slots=True)
class Cell:
    """Which rows: those of one business, country, rate in percent, and reason for 0 %. None does not limit; an empty
    country is that of customers without one.
    """

    business_id: int | None = None
    country: str | None = None
    rate: Decimal | None = None
    reason: str | None = None


EVERYTHING: Final = Cell()


def documents(scope: Scope, cell: Cell = EVERYTHING) -> Subquery:
    """(kind, number, invoice_id, invoice_number, customer_id, business_id, currency, country, rate, reason, day, net,
    tax) in minor units; what takes off is negative. The scope's period, currency, customer and instant hold.
    """
    notes = (_credit_notes(scope, cell), _withdrawals(scope, cell))
    parts = (_invoices(scope, cell), *notes, *_cancellations(scope, cell))
    return union_all(*(_in_cell(part, cell) for part in parts)).subquery("documents")


def _selected(kind: str, number: Any, day: Any, rate: Any, reason: Any, net: Any, tax: Any) -> Select[Any]:
    return select(
        literal(kind).label("kind"),
        number.label("number"),
        Invoice.id.label("invoice_id"),
        Invoice.number.label("invoice_number"),
        Invoice.customer_id,
        Invoice.business_id,
        Invoice.currency,
        Invoice.customer_country.label("country"),
        rate.label("rate"),
        case((rate == 0, reason), else_="").label("reason"),
        day.label("day"),
        net.label("net"),
        tax.label("tax"),
    )


def _in_cell(rows: Select[Any], cell: Cell) -> Select[Any]:
    columns = rows.selected_columns
    if cell.country is not None:
        rows = rows.where(Invoice.customer_country == cell.country)
    if cell.rate is not None:
        rows = rows.where(columns.rate == cell.rate)
    if cell.reason is not None:
        rows = rows.where(columns.reason == cell.reason)
    return rows


def _invoices(scope: Scope, cell: Cell) -> Select[Any]:
    rows = _selected(
        INVOICE,
        Invoice.number,
        Invoice.issued_on,
        InvoiceTax.tax_rate,
        Invoice.zero_tax_reason,
        InvoiceTax.net_minor,
        InvoiceTax.tax_minor,
    )
    conditions = _conditions(scope, cell, Invoice.issued_on, Invoice.sent_at)
    return rows.join(InvoiceTax, InvoiceTax.invoice_id == Invoice.id).where(
        # As written, so that the index on the day serves.
        text(f"({LISTED})"),
        Invoice.sent_at.is_not(None),
        *conditions,
    )


def _credit_notes(scope: Scope, cell: Cell) -> Select[Any]:
    line = CreditNoteLine
    known = (CreditNote.issued_on, CreditNote.created_at)
    return _of_notes(scope, cell, CREDIT_NOTE, *known, -line.amount_minor, -line.tax_minor)


def _withdrawals(scope: Scope, cell: Cell) -> Select[Any]:
    known = (CreditNote.withdrawn_on, CreditNote.withdrawn_at)
    rows = _of_notes(scope, cell, WITHDRAWAL, *known, CreditNoteLine.amount_minor, CreditNoteLine.tax_minor)
    return rows.where(CreditNote.withdrawn_on.is_not(None))


def _of_notes(scope: Scope, cell: Cell, kind: str, day: Any, known: Any, net: Any, tax: Any) -> Select[Any]:
    reason = func.coalesce(CreditNote.zero_tax_reason, "")
    rows = _selected(kind, CreditNote.number, day, CreditNoteLine.tax_rate, reason, net, tax)
    return (
        rows.select_from(CreditNote)
        .join(Invoice, Invoice.id == CreditNote.invoice_id)
        .join(CreditNoteLine, CreditNoteLine.credit_note_id == CreditNote.id)
        .where(*_conditions(scope, cell, day, known))
    )


def _cancellations(scope: Scope, cell: Cell) -> tuple[Select[Any], Select[Any]]:
    """All of a cancelled invoice, and back again what credit notes that stood had credited before."""
    cancelled = _cancelled(scope, cell)
    facts = (CANCELLATION, Invoice.number, cancelled.c.day)
    whole = _selected(
        *facts, InvoiceTax.tax_rate, Invoice.zero_tax_reason, -InvoiceTax.net_minor, -InvoiceTax.tax_minor
    )
    credited = _selected(
        *facts, CreditNoteLine.tax_rate, Invoice.zero_tax_reason, CreditNoteLine.amount_minor, CreditNoteLine.tax_minor
    )
    return (
        whole.select_from(cancelled)
        .join(Invoice, Invoice.id == cancelled.c.invoice_id)
        .join(InvoiceTax, InvoiceTax.invoice_id == Invoice.id),
        credited.select_from(cancelled)
        .join(Invoice, Invoice.id == cancelled.c.invoice_id)
        .join(CreditNote, CreditNote.invoice_id == Invoice.id)
        .join(CreditNoteLine, CreditNoteLine.credit_note_id == CreditNote.id)
        .where(CreditNote.withdrawn_at.is_(None)),
    )


def _cancelled(scope: Scope, cell: Cell) -> Subquery:
    """(invoice_id, day): cancelling reverses the entry that the invoice posted when it was sent.

    From the cancelled invoices, which are few, to their entries: the other way would look at every receivable.
    """
    sent = aliased(LedgerEntry)
    document = literal("invoice:") + cast(Invoice.id, String)
    return (
        select(Invoice.id.label("invoice_id"), LedgerEntry.effective_on.label("day"))
        .join(LedgerEntry, LedgerEntry.document == document)
        .join(sent, sent.id == LedgerEntry.reverses_id)
        .where(
            Invoice.state == InvoiceState.CANCELLED,
            LedgerEntry.kind == EntryKind.REVERSAL,
            sent.kind == EntryKind.INVOICE,
            *_conditions(scope, cell, LedgerEntry.effective_on, LedgerEntry.recorded_at),
        )
        .subquery("cancelled")
    )


def _conditions(scope: Scope, cell: Cell, day: Any, known: Any) -> list[Any]:
    """The scope and the business: all but the days by the invoice's columns, so that the index on the days serves."""
    conditions: list[Any] = []
    if scope.period is not None:
        conditions.append(scope.period.contains(day))
    if scope.as_at is not None:
        conditions.append(day <= scope.as_at)
    if scope.known_at is not None:
        conditions.append(known <= scope.known_at)
    if scope.currency is not None:
        conditions.append(equals(Invoice.currency, scope.currency))
    if scope.customer_id is not None:
        conditions.append(Invoice.customer_id == scope.customer_id)
    if cell.business_id is not None:
        conditions.append(Invoice.business_id == cell.business_id)
    return conditions
