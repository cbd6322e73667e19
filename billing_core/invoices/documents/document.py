"""The content of an invoice or credit note: everything that PDF, mail and public page show, in a few statements.

The caller has checked that the reader may see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, String, column, func, select, table
from sqlalchemy.orm import Session

from billing_core.database.types import UtcDateTime
from billing_core.errors import NotFound
from billing_core.invoices import issuers
from billing_core.invoices.content.totals import Line, TaxRow, Totals, totals
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.models import CreditNote, CreditNoteLine, Invoice, InvoiceLineItem, InvoiceState
from billing_core.invoices.payment_links import active_token
from billing_core.money import Money

# By its columns' names: payments stand below this room.
_ALLOCATIONS: Final = table(
    "payment_allocations",
    column("invoice_id", Integer),
    column("kind", String),
    column("amount_minor", BigInteger),
    column("undone_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """``known_as``: the name, or the e-mail address of a customer without one."""

    name: str
    address: str = ""
    email: str = ""
    tax_id: str = ""

    @property
    def known_as(self) -> str:
        return self.name or self.email


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """``unit_price`` in major units; ``amount_minor`` after the line's own discount."""

    description: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal
    amount_minor: int
    discount_percent: Decimal | None = None
    discount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """Amounts in minor units of ``currency``. ``due_minor`` of a draft is what will be due; ``prepaid_minor`` is what
    prepaid credit paid of ``paid_minor``. ``view_url`` is the customer's own page of the invoice; ``payment_url`` is
    set where it can be paid online now. Tax of 0 % is stated, with its reason, but on what was sent before that rule.
    """

    number: str | None
    state: InvoiceState
    language: str
    currency: str
    issued_on: date
    due_on: date
    reference: str
    payment_terms: str
    notes: str
    issuer: Issuer
    customer: Recipient
    lines: tuple[DocumentLine, ...]
    totals: Totals
    discount_percent: Decimal | None
    paid_minor: int
    credited_minor: int
    written_off_minor: int
    refunded_minor: int
    due_minor: int
    made_at: datetime
    view_url: str | None = None
    payment_url: str | None = None
    prepaid_minor: int = 0
    states_zero_tax: bool = True
    zero_tax_reason: str = ""


@dataclass(frozen=True, slots=True)
class CreditedLine:
    """Of a line of the invoice: so many at ``unit_price`` in major units, less ``discount_minor``. None where an amount
    was credited.
    """

    description: str
    tax_rate: Decimal
    amount_minor: int
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    discount_minor: int = 0


@dataclass(frozen=True, slots=True)
class CreditNoteDocument:
    """``refund_minor`` of the total was paid back; the rest lowers what is due on the invoice. Its lines include tax
    where the prices of the invoice do. One whose ``zero_tax_reason`` is None was issued before tax of 0 % was stated.
    From ``withdrawn_on`` on it credits nothing.
    """

    number: str
    invoice_number: str
    invoice_issued_on: date
    language: str
    currency: str
    issued_on: date
    reason: str
    issuer: Issuer
    customer: Recipient
    lines: tuple[CreditedLine, ...]
    by_rate: tuple[TaxRow, ...]
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    refund_minor: int
    made_at: datetime
    zero_tax_reason: str | None = ""
    prices_include_tax: bool = False
    withdrawn_on: date | None = None


def of_invoice(session: Session, invoice_id: int, *, address: str | None = None) -> InvoiceDocument:
    """A stored invoice; ``address`` is the product's own, for links to the customer's pages. NotFound."""
    invoice = session.get(Invoice, invoice_id)
    if invoice is None:
        raise NotFound(f"Invoice {invoice_id} does not exist")
    columns = (
        InvoiceLineItem.description,
        InvoiceLineItem.quantity,
        InvoiceLineItem.unit_price,
        InvoiceLineItem.tax_rate,
        InvoiceLineItem.type,
        InvoiceLineItem.discount_percent,
        InvoiceLineItem.discount_minor,
    )
    rows = session.execute(
        select(*columns).where(InvoiceLineItem.invoice_id == invoice_id).order_by(InvoiceLineItem.position)
    ).all()
    figures = totals(
        [
            Line(row.quantity, row.unit_price, row.tax_rate, row.type, row.discount_percent, row.discount_minor)
            for row in rows
        ],
        invoice.currency,
        discount_percent=invoice.discount_percent,
        discount_minor=invoice.discount_minor,
        lines_rounded=invoice.lines_rounded,
        prices_include_tax=invoice.prices_include_tax,
    )
    return InvoiceDocument(
        number=invoice.number,
        state=invoice.state,
        language=invoice.language,
        currency=invoice.currency,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        reference=invoice.reference,
        payment_terms=invoice.payment_terms,
        notes=invoice.notes,
        issuer=_issuer(session, invoice),
        customer=_customer(invoice),
        lines=_lines(rows, figures),
        totals=figures,
        discount_percent=invoice.discount_percent,
        paid_minor=invoice.paid_minor,
        credited_minor=invoice.credited_minor,
        written_off_minor=invoice.written_off_minor,
        refunded_minor=invoice.refunded_minor,
        due_minor=figures.total_minor if invoice.state is InvoiceState.DRAFT else invoice.due_minor,
        made_at=invoice.sent_at or invoice.created_at,
        view_url=f"{address}/i/{invoice.token}" if address and invoice.number else None,
        payment_url=_payment_url(session, invoice, address) if address else None,
        prepaid_minor=_prepaid(session, invoice) if invoice.paid_minor else 0,
        # Both came together: what was sent before stays as it was.
        states_zero_tax=invoice.lines_rounded,
        zero_tax_reason=invoice.zero_tax_reason if invoice.lines_rounded else "",
    )


def of_credit_note(session: Session, credit_note_id: int) -> CreditNoteDocument:
    """A credit note; customer and issuer are named as on its invoice. NotFound."""
    note = session.get(CreditNote, credit_note_id)
    if note is None:
        raise NotFound(f"Credit note {credit_note_id} does not exist")
    invoice = session.get_one(Invoice, note.invoice_id)
    columns = (
        CreditNoteLine.description,
        CreditNoteLine.tax_rate,
        CreditNoteLine.amount_minor,
        CreditNoteLine.tax_minor,
        CreditNoteLine.quantity,
        CreditNoteLine.unit_price,
        func.coalesce(InvoiceLineItem.discount_percent, InvoiceLineItem.discount_minor).label("discount"),
    )
    rows = session.execute(
        select(*columns)
        .outerjoin(InvoiceLineItem, InvoiceLineItem.id == CreditNoteLine.invoice_line_id)
        .where(CreditNoteLine.credit_note_id == credit_note_id)
        .order_by(CreditNoteLine.position)
    ).all()
    whole = invoice.discount_percent or invoice.discount_minor
    rates = sorted({row.tax_rate for row in rows})
    return CreditNoteDocument(
        number=note.number,
        invoice_number=invoice.number or "",
        invoice_issued_on=invoice.issued_on,
        language=invoice.language,
        currency=note.currency,
        issued_on=note.issued_on,
        reason=note.reason,
        issuer=_issuer(session, invoice),
        customer=_customer(invoice),
        lines=tuple(
            _credited(row, note.currency, discounted=bool(row.discount or whole), gross=invoice.prices_include_tax)
            for row in rows
        ),
        by_rate=tuple(
            TaxRow(
                rate,
                sum(row.amount_minor for row in rows if row.tax_rate == rate),
                sum(row.tax_minor for row in rows if row.tax_rate == rate),
            )
            for rate in rates
        ),
        subtotal_minor=note.subtotal_minor,
        tax_minor=note.tax_minor,
        total_minor=note.total_minor,
        refund_minor=note.refund_minor,
        made_at=note.created_at,
        zero_tax_reason=note.zero_tax_reason,
        prices_include_tax=invoice.prices_include_tax,
        withdrawn_on=note.withdrawn_on,
    )


def _lines(lines: Sequence[Any], figures: Totals) -> tuple[DocumentLine, ...]:
    """``lines`` are stored rows or lines of a draft, which share their attribute names."""
    return tuple(
        DocumentLine(
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            tax_rate=line.tax_rate,
            amount_minor=amount_minor,
            discount_percent=line.discount_percent,
            discount_minor=line.discount_minor,
        )
        for line, amount_minor in zip(lines, figures.lines, strict=True)
    )


def _credited(row: Any, currency: str, *, discounted: bool, gross: bool) -> CreditedLine:
    """``discounted``: the line's own discount, or its part of the invoice's, is between its price and its amount."""
    amount, discount = row.amount_minor + (row.tax_minor if gross else 0), 0
    if row.quantity is not None and discounted:
        discount = Money.rounded(row.quantity * row.unit_price, currency).minor - amount
    return CreditedLine(row.description, row.tax_rate, amount, row.quantity, row.unit_price, discount)


def _customer(invoice: Invoice) -> Recipient:
    return Recipient(invoice.customer_name, invoice.customer_address, invoice.customer_email, invoice.customer_tax_id)


def _prepaid(session: Session, invoice: Invoice) -> int:
    """What prepaid credit paid of it, in minor units."""
    paid = _ALLOCATIONS.c.amount_minor
    by_credit = (_ALLOCATIONS.c.kind == "prepaid", _ALLOCATIONS.c.undone_at.is_(None))
    statement = select(func.coalesce(func.sum(paid), 0)).where(_ALLOCATIONS.c.invoice_id == invoice.id, *by_credit)
    return int(session.scalar(statement) or 0)


def _payment_url(session: Session, invoice: Invoice, address: str) -> str | None:
    """Customers get our own address, which redirects to the gateway's: it still answers after the link has ended."""
    token = active_token(session, invoice.id) if invoice.payment_url else None
    return f"{address}/pay/{token}" if token else None


def _issuer(session: Session, invoice: Invoice) -> Issuer:
    return issuers.with_logo(session, issuers.of_invoice(session, invoice), invoice.business_id)
