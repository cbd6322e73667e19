"""Credit notes as files: a row for each of their lines, with the invoice that it belongs to.

One that was withdrawn has its rows once more, on the day of that, with the opposite amounts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, CompoundSelect, Select, func, literal, select, union_all
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers.queries import visible_to
from billing_core.database.amounts import has_amount
from billing_core.database.functions import equals, mentions
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import CreditNote, CreditNoteLine, Invoice, InvoiceLineItem
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports import tables
from billing_core.reports.exports.formats import Download
from billing_core.reports.exports.tables import amount, amount_column, day_column, number_column, plain, text_column


@dataclass(frozen=True, slots=True)
class CreditNoteFilter:
    """Empty fields do not limit; days are those of the credit notes, and included. ``text`` occurs in the number of
    the note or of its invoice, in the customer's name, or in the reason, or is the note's total.
    """

    customer_id: int | None = None
    business_id: int | None = None
    issued_from: date | None = None
    issued_to: date | None = None
    currency: str = ""
    text: str = ""


COLUMNS: Final = (
    text_column("credit_note_id", "Credit note id", 22),
    text_column("credit_note_number", "Number"),
    day_column("issued_date", "Issued"),
    text_column("invoice_id", "Invoice id", 22),
    text_column("invoice_number", "Invoice"),
    day_column("invoice_date", "Invoice of"),
    text_column("business", "Business", 22),
    number_column("customer_id", "Customer id"),
    text_column("customer_name", "Customer", 28),
    text_column("customer_country", "Country", 9),
    text_column("customer_tax_id", "Tax id"),
    text_column("kind", "Kind", 14),
    text_column("reason", "Reason", 28),
    number_column("line", "Line", 6),
    text_column("description", "Description", 40),
    text_column("type", "Type", 10),
    number_column("invoice_line", "Invoice line", 8),
    number_column("quantity", "Quantity"),
    number_column("unit_price", "Unit price"),
    text_column("currency", "Currency", 9),
    number_column("tax_rate", "Tax %"),
    text_column("zero_tax_reason", "Reason for 0 %", 24),
    amount_column("net_amount", "Net"),
    amount_column("tax_amount", "Tax"),
    amount_column("total_amount", "Total"),
)
_SELECTED: Final = (
    CreditNote.id.label("note_id"),
    CreditNote.public_id,
    CreditNote.number,
    Invoice.public_id.label("invoice_id"),
    Invoice.number.label("invoice_number"),
    Invoice.issued_on.label("invoice_date"),
    CreditNote.business_id,
    CreditNote.customer_id,
    Invoice.customer_name,
    Invoice.customer_country,
    Invoice.customer_tax_id,
    CreditNote.refund_minor,
    CreditNote.early_payment,
    CreditNote.reason,
    CreditNoteLine.position,
    CreditNoteLine.description,
    CreditNoteLine.type,
    InvoiceLineItem.position.label("invoice_line"),
    CreditNoteLine.quantity,
    CreditNoteLine.unit_price,
    CreditNote.currency,
    CreditNoteLine.tax_rate,
    CreditNote.zero_tax_reason,
)
# The day, whether it is withdrawn on it, and its amounts.
_ISSUED: Final = (CreditNote.issued_on, literal(False), CreditNoteLine.amount_minor, CreditNoteLine.tax_minor)
_WITHDRAWN: Final = (CreditNote.withdrawn_on, literal(True), -CreditNoteLine.amount_minor, -CreditNoteLine.tax_minor)


def as_csv(session: Session, actor: Actor, filters: CreditNoteFilter, *, for_excel: bool = False) -> Download:
    """By the day of the credit notes. Amounts are those on the document: what is taken back is positive."""
    return tables.as_csv("credit-notes", COLUMNS, _rows(session, actor, filters), for_excel=for_excel)


def workbook(session: Session, actor: Actor, filters: CreditNoteFilter, *, now: datetime) -> Download:
    rows = _rows(session, actor, filters)
    count = session.scalar(select(func.count()).select_from(_matching(actor, filters).subquery())) or 0
    sheets = tables.as_sheets("Credit notes", COLUMNS, count, rows)
    return tables.as_workbook("credit-notes", "Credit notes", sheets, now=now)


def _rows(session: Session, actor: Actor, filters: CreditNoteFilter) -> Iterator[Sequence[Any]]:
    actor.require(Permission.EXPORT)
    found = _matching(actor, filters).subquery()
    order = (found.c.day, found.c.note_id, found.c.withdrawn, found.c.position)
    return _written(session, select(found).order_by(*order))


def _matching(actor: Actor, filters: CreditNoteFilter) -> CompoundSelect[*tuple[Any, ...]]:
    actor.require(Permission.INVOICE_READ)
    withdrawn = _of(actor, filters, *_WITHDRAWN).where(CreditNote.withdrawn_on.is_not(None))
    return union_all(_of(actor, filters, *_ISSUED), withdrawn)


def _of(
    actor: Actor, filters: CreditNoteFilter, day: Any, withdrawn: Any, net: Any, tax: Any
) -> Select[*tuple[Any, ...]]:
    sought = filters.text.strip()
    conditions: list[ColumnElement[bool] | None] = [
        visible_to(actor, CreditNote.customer_id),
        CreditNote.customer_id == filters.customer_id if filters.customer_id is not None else None,
        CreditNote.business_id == filters.business_id if filters.business_id is not None else None,
        day >= filters.issued_from if filters.issued_from else None,
        day <= filters.issued_to if filters.issued_to else None,
        equals(CreditNote.currency, filters.currency) if filters.currency else None,
        _found(sought) if sought else None,
    ]
    return (
        select(
            *_SELECTED,
            day.label("day"),
            withdrawn.label("withdrawn"),
            net.label("net_minor"),
            tax.label("line_tax_minor"),
        )
        .select_from(CreditNote)
        .join(Invoice, Invoice.id == CreditNote.invoice_id)
        .join(CreditNoteLine, CreditNoteLine.credit_note_id == CreditNote.id)
        .outerjoin(InvoiceLineItem, InvoiceLineItem.id == CreditNoteLine.invoice_line_id)
        .where(*(condition for condition in conditions if condition is not None))
    )


def _found(text: str) -> ColumnElement[bool]:
    named = mentions(text, CreditNote.number, Invoice.number, Invoice.customer_name, CreditNote.reason)
    return named | has_amount(text, CreditNote.currency, CreditNote.total_minor)


def _written(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
    names = businesses.names(session)
    for row in exports_rows.each(session, statement):
        net, tax, total = (
            amount(minor, row.currency)
            for minor in (row.net_minor, row.line_tax_minor, row.net_minor + row.line_tax_minor)
        )
        yield (
            *(row.public_id, row.number, row.day, row.invoice_id, row.invoice_number, row.invoice_date),
            *(names[row.business_id], row.customer_id, row.customer_name, row.customer_country, row.customer_tax_id),
            *(_kind(row), row.reason, row.position, row.description, row.type.value),
            *(row.invoice_line, _plain(row.quantity), _plain(row.unit_price), row.currency),
            *(plain(row.tax_rate), "" if row.tax_rate else row.zero_tax_reason, net, tax, total),
        )


def _plain(number: Decimal | None) -> Decimal | None:
    return None if number is None else plain(number)


def _kind(row: Any) -> str:
    if row.withdrawn:
        return "withdrawn"
    if row.early_payment:
        return "early_payment"
    return "refund" if row.refund_minor else "correction"
