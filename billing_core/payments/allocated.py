"""Payments with what they paid, as files: a row for each invoice that a payment paid, for what is left of it, for
credit that paid an invoice, and for money that went back.

``money`` adds up to what came in less what went back; ``paid`` of an invoice to what it has been paid with.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, String, case, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.amounts import has_amount
from billing_core.database.functions import equals, mentions
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.payments import queries
from billing_core.payments.models import (
    Allocation,
    AllocationKind,
    Chargeback,
    Payment,
    PaymentMethod,
    Refund,
    RefundSource,
)
from billing_core.payments.queries import PaymentFilter
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports import tables
from billing_core.reports.exports.formats import Download
from billing_core.reports.exports.tables import amount, amount_column, day_column, number_column, text_column

COLUMNS: Final = (
    day_column("date", "Date"),
    text_column("kind", "Kind", 16),
    text_column("payment_id", "Payment id", 22),
    text_column("business", "Business", 22),
    number_column("customer_id", "Customer id"),
    text_column("customer_name", "Customer", 28),
    text_column("method", "Method", 14),
    text_column("reference", "Reference"),
    text_column("invoice_id", "Invoice id", 22),
    text_column("invoice_number", "Invoice"),
    text_column("credit_note_number", "Credit note"),
    text_column("currency", "Currency", 9),
    amount_column("amount", "Money"),
    amount_column("paid_on_invoice", "Paid on invoice"),
    text_column("recorded_by", "Recorded by"),
)
_NAMES: Final = (
    *("day", "kind", "payment_id", "business_id", "customer_id", "customer_name", "method", "reference"),
    *("invoice_id", "invoice_number", "note_number", "currency", "money", "paid", "recorded_by", "place"),
)
_NOTHING: Final = cast(null(), String)


def as_csv(session: Session, actor: Actor, filters: PaymentFilter, *, for_excel: bool = False) -> Download:
    """By day, whatever the order of the page. An undone payment has a row without money."""
    return tables.as_csv("payment-allocations", COLUMNS, _rows(session, actor, filters), for_excel=for_excel)


def workbook(session: Session, actor: Actor, filters: PaymentFilter, *, now: datetime) -> Download:
    rows = _rows(session, actor, filters)
    found = _found(actor, filters).subquery()
    count = session.scalar(select(func.count()).select_from(found)) or 0
    sheets = tables.as_sheets("Payments", COLUMNS, count, rows)
    return tables.as_workbook("payment-allocations", "Payments with what they paid", sheets, now=now)


def _rows(session: Session, actor: Actor, filters: PaymentFilter) -> Iterator[Sequence[Any]]:
    actor.require(Permission.EXPORT)
    found = _found(actor, filters).subquery()
    return _written(session, select(found).order_by(found.c.day, found.c.payment_id, found.c.kind, found.c.place))


def _written(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
    names = businesses.names(session)
    for row in exports_rows.each(session, statement):
        yield (
            *(row.day, row.kind, row.payment_id, names[row.business_id], row.customer_id, row.customer_name),
            *(row.method, row.reference, row.invoice_id, row.invoice_number, row.note_number, row.currency),
            *(amount(row.money, row.currency), amount(row.paid, row.currency), row.recorded_by),
        )


def _found(actor: Actor, filters: PaymentFilter) -> Any:
    actor.require(Permission.PAYMENT_READ)
    payments = queries.conditions(actor, filters)
    parts = [_allocated(payments), _kept(payments), _taken(payments), _undone(payments)]
    if not filters.undone:
        parts += [_refunded(actor, filters), _charged_back(actor, filters), _returned(actor, filters)]
    # Credit has no method.
    if not filters.undone and not filters.method:
        parts.append(_credit_used(actor, filters))
    return union_all(*parts)


def _selected(*values: Any) -> Select[*tuple[Any, ...]]:
    return select(*(value.label(name) for name, value in zip(_NAMES, values, strict=True)))


def _of_payment(kind: str, invoice: Sequence[Any], money: Any, paid: Any, place: Any) -> Select[*tuple[Any, ...]]:
    facts = (Payment.received_on, literal(kind), Payment.public_id, Payment.business_id, Payment.customer_id)
    known = (Customer.name, cast(Payment.method, String), Payment.reference, *invoice, _NOTHING, Payment.currency)
    return _selected(*facts, *known, money, paid, Payment.created_by, place).join(
        Customer, Customer.id == Payment.customer_id
    )


def _allocated(payments: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    """What each payment paid, without what was turned into credit since."""
    invoice = (Invoice.public_id, Invoice.number)
    given = Allocation.amount_minor
    return (
        _of_payment("payment", invoice, given, given, Allocation.id)
        .join(Allocation, Allocation.payment_id == Payment.id)
        .join(Invoice, Invoice.id == Allocation.invoice_id)
        .where(Allocation.undone_at.is_(None), *payments)
    )


def _kept(payments: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    """What each payment left to the customer as credit."""
    kept = cast(Payment.amount_minor - queries.allocated - queries.charged_back, BigInteger)
    statement = _of_payment("kept_as_credit", (_NOTHING, _NOTHING), kept, literal(0), Payment.id)
    return statement.where(Payment.undone_at.is_(None), kept > 0, *payments)


def _taken(payments: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    """What each payment has given to nobody, since its payer's bank has taken it back."""
    rest, gone = Payment.amount_minor - queries.allocated, queries.charged_back
    taken = cast(case((gone < rest, gone), else_=rest), BigInteger)
    statement = _of_payment("taken_by_bank", (_NOTHING, _NOTHING), taken, literal(0), Payment.id)
    return statement.where(Payment.undone_at.is_(None), taken > 0, *payments)


def _undone(payments: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    statement = _of_payment("undone", (_NOTHING, _NOTHING), literal(0), literal(0), Payment.id)
    return statement.where(Payment.undone_at.is_not(None), *payments)


def _refunded(actor: Actor, filters: PaymentFilter) -> Select[*tuple[Any, ...]]:
    """Money that went back is negative; what was kept as credit moves none."""
    kind = case((Refund.source == RefundSource.INVOICE, literal("refund")), else_=literal("credit_paid_out"))
    money = case((Refund.method.is_not(None), -Refund.amount_minor), else_=0)
    facts = (Refund.refunded_on, kind, Payment.public_id, Refund.business_id, Refund.customer_id, Customer.name)
    of_invoice = (Invoice.public_id, Invoice.number, CreditNote.number, Refund.currency)
    method = cast(Refund.method, String)
    texts = (Refund.reference, Refund.reason)
    conditions = _conditions(actor, filters, Refund.refunded_on, Refund, Refund.amount_minor, *texts)
    if filters.method in set(PaymentMethod):
        conditions.append(Refund.method == PaymentMethod(filters.method))
    return (
        _selected(*facts, method, Refund.reference, *of_invoice, money, literal(0), Refund.created_by, Refund.id)
        .join(Customer, Customer.id == Refund.customer_id)
        .outerjoin(Invoice, Invoice.id == Refund.invoice_id)
        .outerjoin(CreditNote, CreditNote.id == Refund.credit_note_id)
        .outerjoin(Payment, Payment.id == Refund.payment_id)
        .where(*conditions)
    )


def _charged_back(actor: Actor, filters: PaymentFilter) -> Select[*tuple[Any, ...]]:
    """Money that a payer's bank took back."""
    money = -Chargeback.amount_minor
    return _by_bank(actor, filters, "chargeback", Chargeback.taken_on, money, Chargeback.created_by)


def _returned(actor: Actor, filters: PaymentFilter) -> Select[*tuple[Any, ...]]:
    """What of it came back."""
    by = literal("")
    statement = _by_bank(actor, filters, "chargeback_returned", Chargeback.returned_on, Chargeback.amount_minor, by)
    return statement.where(Chargeback.returned_at.is_not(None))


def _by_bank(
    actor: Actor, filters: PaymentFilter, kind: str, day: Any, money: Any, recorded_by: Any
) -> Select[*tuple[Any, ...]]:
    facts = (day, literal(kind), Payment.public_id, Payment.business_id, Payment.customer_id, Customer.name)
    known = (cast(Payment.method, String), Payment.reference, Invoice.public_id, Invoice.number, _NOTHING)
    texts = (Payment.reference, Chargeback.reason)
    conditions = _conditions(actor, filters, day, Payment, Chargeback.amount_minor, *texts)
    if filters.method in set(PaymentMethod):
        conditions.append(Payment.method == PaymentMethod(filters.method))
    return (
        _selected(*facts, *known, Payment.currency, money, literal(0), recorded_by, Chargeback.id)
        .join(Payment, Payment.id == Chargeback.payment_id)
        .join(Customer, Customer.id == Payment.customer_id)
        .outerjoin(Invoice, Invoice.id == Chargeback.invoice_id)
        .where(*conditions)
    )


def _credit_used(actor: Actor, filters: PaymentFilter) -> Select[*tuple[Any, ...]]:
    """Invoices that were paid from credit: its money came in with an earlier payment."""
    prepaid = Allocation.kind == AllocationKind.PREPAID
    kind = case((prepaid, literal("prepaid_credit_used")), else_=literal("credit_used"))
    facts = (Allocation.allocated_on, kind, _NOTHING, Invoice.business_id, Invoice.customer_id, Customer.name)
    of_invoice = (Invoice.public_id, Invoice.number, _NOTHING, Invoice.currency)
    paid = (literal(0), Allocation.amount_minor, Allocation.created_by, Allocation.id)
    return (
        _selected(*facts, _NOTHING, literal(""), *of_invoice, *paid)
        .join(Invoice, Invoice.id == Allocation.invoice_id)
        .join(Customer, Customer.id == Invoice.customer_id)
        .where(
            Allocation.payment_id.is_(None),
            Allocation.undone_at.is_(None),
            *_conditions(actor, filters, Allocation.allocated_on, Invoice, Allocation.amount_minor),
        )
    )


def _conditions(
    actor: Actor, filters: PaymentFilter, day: Any, of: Any, minor: Any, *texts: Any
) -> list[ColumnElement[bool]]:
    """The filter of payments, for what is none; ``of`` has customer, business and currency."""
    sought = filters.text.strip()
    conditions: list[ColumnElement[bool] | None] = [
        visible_to(actor, of.customer_id),
        of.customer_id == filters.customer_id if filters.customer_id is not None else None,
        of.business_id == filters.business_id if filters.business_id is not None else None,
        day >= filters.received_from if filters.received_from is not None else None,
        day <= filters.received_to if filters.received_to is not None else None,
        equals(of.currency, filters.currency) if filters.currency else None,
        mentions(sought, Customer.name, Customer.ref, *texts) | has_amount(sought, of.currency, minor)
        if sought
        else None,
    ]
    return [condition for condition in conditions if condition is not None]
