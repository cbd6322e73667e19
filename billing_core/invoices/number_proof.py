"""The documents of one number series, to show that no number is missing."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from billing_core.businesses.number_series import SeriesKind
from billing_core.customers.models import Customer
from billing_core.identity import Actor, Permission
from billing_core.invoices import numbering
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.invoices.numbering import Series


@dataclass(frozen=True, slots=True)
class NumberedDocument:
    """``invoice_id`` of a credit note is the invoice that it belongs to; ``state`` None: credit notes have none."""

    sequence: int
    number: str
    invoice_id: int
    customer_name: str
    issued_on: date
    total_minor: int
    currency: str
    state: InvoiceState | None


def series(session: Session, actor: Actor) -> list[Series]:
    """Every series of every business with its proof."""
    actor.require(Permission.AUDIT_READ)
    return numbering.series(session)


def holes(session: Session, actor: Actor, series: Series) -> list[str]:
    """The numbers without a document, lowest first, at most a hundred."""
    actor.require(Permission.AUDIT_READ)
    return numbering.holes(session, series)


def states(session: Session, actor: Actor, series: Series) -> dict[InvoiceState, int]:
    """How many invoices of a series are in each state that occurs; they add up to its count."""
    actor.require(Permission.AUDIT_READ)
    statement = select(Invoice.state, func.count()).where(
        Invoice.business_id == series.business_id, Invoice.series == series.series, Invoice.sequence <= series.last
    )
    return {row[0]: row[1] for row in session.execute(statement.group_by(Invoice.state))}


def documents(
    session: Session, actor: Actor, series: Series, *, limit: int = 50, offset: int = 0
) -> list[NumberedDocument]:
    """One page of a series, from its first number on."""
    actor.require(Permission.AUDIT_READ)
    statement = (
        select(
            Invoice.sequence,
            Invoice.number,
            Invoice.id,
            Invoice.customer_name,
            Invoice.issued_on,
            Invoice.total_minor,
            Invoice.currency,
            Invoice.state,
        ).where(Invoice.business_id == series.business_id, Invoice.series == series.series)
        if series.kind is SeriesKind.INVOICE
        else select(
            CreditNote.sequence,
            CreditNote.number,
            CreditNote.invoice_id,
            Customer.name,
            CreditNote.issued_on,
            CreditNote.total_minor,
            CreditNote.currency,
            literal(None),
        )
        .join(Customer, Customer.id == CreditNote.customer_id)
        .where(CreditNote.business_id == series.business_id, CreditNote.series == series.series)
    )
    place = Invoice.sequence if series.kind is SeriesKind.INVOICE else CreditNote.sequence
    rows = session.execute(statement.order_by(place).limit(limit).offset(offset))
    return [NumberedDocument(*row) for row in rows]
