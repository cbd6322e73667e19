"""Reads of payments, of what they paid, and of refunds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.customers import queries as customers
from billing_core.customers.models import Customer
from billing_core.customers.queries import visible_to
from billing_core.database.amounts import has_amount
from billing_core.database.folding import fold, folded
from billing_core.database.functions import equals, mentions
from billing_core.database.ordering import chosen, ordered
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.money import Money
from billing_core.payments.models import (
    Allocation,
    AllocationKind,
    Chargeback,
    Payment,
    PaymentMethod,
    Refund,
    RefundSource,
)


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """``allocated_minor`` of the payment pays invoices, ``charged_back_minor`` was taken back by the payer's bank; the
    rest became the customer's credit. ``gateway_key`` and the two ids are the gateway's, where it came in by one.
    """

    id: int
    public_id: str
    business_id: int
    customer_id: int
    customer_name: str
    currency: str
    amount_minor: int
    fee_minor: int
    allocated_minor: int
    method: PaymentMethod
    received_on: date
    reference: str
    note: str
    gateway_key: str | None
    intent_id: str | None
    charge_id: str | None
    undone_at: datetime | None
    undone_reason: str
    created_at: datetime
    created_by: str
    charged_back_minor: int

    @property
    def kept_minor(self) -> int:
        """What became credit when the payment came in, or was turned into it since."""
        return 0 if self.undone_at else max(self.amount_minor - self.allocated_minor - self.charged_back_minor, 0)


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Empty fields do not limit. ``text`` occurs in the customer's name, the reference or the note, or is the
    amount."""

    customer_id: int | None = None
    business_id: int | None = None
    received_from: date | None = None
    received_to: date | None = None
    currency: str = ""
    method: str = ""
    text: str = ""
    undone: bool | None = None
    order_by: str = "-received_on"


@dataclass(frozen=True, slots=True)
class AllocationRow:
    """One allocation to an invoice; ``payment_id`` is None where it came from credit. ``by_bank``: it was undone as the
    payer's bank took money back, or returned it; what was left stands as another.
    """

    id: int
    kind: AllocationKind
    payment_id: int | None
    method: PaymentMethod | None
    reference: str
    business_id: int
    invoice_id: int
    invoice_number: str | None
    currency: str
    amount_minor: int
    allocated_on: date
    undone_at: datetime | None
    created_by: str
    by_bank: bool


@dataclass(frozen=True, slots=True)
class RefundRow:
    id: int
    source: RefundSource
    customer_id: int
    customer_name: str
    invoice_id: int | None
    invoice_number: str | None
    credit_note_id: int | None
    currency: str
    amount_minor: int
    method: PaymentMethod | None
    refunded_on: date
    reference: str
    reason: str
    created_by: str


# What the payment's allocations that stand come to.
allocated = (
    select(func.coalesce(func.sum(Allocation.amount_minor), 0))
    .where(Allocation.payment_id == Payment.id, Allocation.undone_at.is_(None))
    .correlate(Payment)
    .scalar_subquery()
)
# What its payer's bank took back of it, and has not returned.
charged_back = (
    select(func.coalesce(func.sum(Chargeback.amount_minor), 0))
    .where(Chargeback.payment_id == Payment.id, Chargeback.returned_at.is_(None))
    .correlate(Payment)
    .scalar_subquery()
)
COLUMNS: tuple[Any, ...] = (
    Payment.id,
    Payment.public_id,
    Payment.business_id,
    Payment.customer_id,
    Customer.name,
    Payment.currency,
    Payment.amount_minor,
    Payment.fee_minor,
    allocated,
    Payment.method,
    Payment.received_on,
    Payment.reference,
    Payment.note,
    Payment.gateway_key,
    Payment.intent_id,
    Payment.charge_id,
    Payment.undone_at,
    Payment.undone_reason,
    Payment.created_at,
    Payment.created_by,
    charged_back,
)
ORDERINGS: dict[str, tuple[InstrumentedAttribute[Any], ...]] = {
    "received_on": (Payment.received_on,),
    "amount": (Payment.currency, Payment.amount_minor),
    # Customer by customer, as an index has each one's payments.
    "customer": (Customer.name_order, Customer.id, Payment.received_on),
    "created_at": (Payment.created_at,),
}


def listing(actor: Actor, filters: PaymentFilter) -> Select[*tuple[Any, ...]]:
    """Every matching payment, in the requested order, without a limit: for streamed exports."""
    actor.require(Permission.PAYMENT_READ)
    order = ordered(filters.order_by, *chosen(ORDERINGS, filters.order_by), Payment.id)
    return (
        select(*COLUMNS)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(*conditions(actor, filters))
        .order_by(*order)
    )


def page(
    session: Session, actor: Actor, filters: PaymentFilter, *, limit: int = 50, offset: int = 0
) -> list[PaymentRow]:
    statement = listing(actor, filters).limit(limit).offset(offset)
    return [PaymentRow(*row) for row in session.execute(statement)]


def count(session: Session, actor: Actor, filters: PaymentFilter) -> int:
    actor.require(Permission.PAYMENT_READ)
    return session.scalar(_summing(actor, filters, func.count())) or 0


def totals(session: Session, actor: Actor, filters: PaymentFilter) -> list[Money]:
    """The sum of the matching payments that still stand, one Money per currency."""
    actor.require(Permission.PAYMENT_READ)
    sums = _summing(actor, filters, func.sum(Payment.amount_minor), Payment.currency).where(Payment.undone_at.is_(None))
    statement = sums.group_by(Payment.currency).order_by(Payment.currency)
    return [Money(int(minor), currency) for minor, currency in session.execute(statement)]


def _summing(actor: Actor, filters: PaymentFilter, *what: Any) -> Select[*tuple[Any, ...]]:
    """The sums over all that match; customers are joined only for a search."""
    statement = select(*what).select_from(Payment).where(*conditions(actor, filters))
    return statement.join(Customer, Customer.id == Payment.customer_id) if filters.text.strip() else statement


def one(session: Session, actor: Actor, payment_id: int) -> PaymentRow:
    """A payment; NotFound where there is none or this actor may not see it."""
    actor.require(Permission.PAYMENT_READ)
    row = session.execute(
        select(*COLUMNS)
        .join(Customer, Customer.id == Payment.customer_id)
        .where(Payment.id == payment_id, visible_to(actor, Payment.customer_id))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no payment {payment_id}")
    return PaymentRow(*row)


def for_change(session: Session, actor: Actor, payment_id: int) -> Payment:
    """The payment with its row locked until the transaction ends; NotFound as in ``one``.

    Its customer's row is locked first, in the order that all changes use.
    """
    visible = (Payment.id == payment_id, visible_to(actor, Payment.customer_id))
    customer_id = session.scalar(select(Payment.customer_id).where(*visible))
    if customer_id is None:
        raise NotFound(f"There is no payment {payment_id}")
    customers.for_change(session, actor, customer_id)
    locked = select(Payment).where(Payment.id == payment_id).with_for_update()
    return session.scalars(locked.execution_options(populate_existing=True)).one()


def alike(
    session: Session, actor: Actor, customer_id: int, amount: Money, *, received_on: date, reference: str
) -> PaymentRow | None:
    """The first payment of the same customer and amount that has the same reference or day, and still stands: it may
    be the same money, recorded before.
    """
    asked = (customer_id, amount)
    return alike_of_many(session, actor, [asked], received_on=received_on, reference=reference).get(asked)


def alike_of_many(
    session: Session, actor: Actor, asked: Sequence[tuple[int, Money]], *, received_on: date, reference: str
) -> dict[tuple[int, Money], PaymentRow]:
    """``alike`` of several (customer's id, amount), where there is one."""
    actor.require(Permission.PAYMENT_READ)
    same = [Payment.received_on == received_on]
    if named := " ".join(reference.replace("\0", "").split()):
        same.append(folded(Payment.reference) == fold(named))
    statement = select(*COLUMNS).join(Customer, Customer.id == Payment.customer_id)
    statement = statement.where(
        visible_to(actor, Payment.customer_id),
        Payment.customer_id.in_({customer_id for customer_id, _ in asked}),
        Payment.amount_minor.in_({amount.minor for _, amount in asked}),
        Payment.undone_at.is_(None),
        or_(*same),
    )
    wanted, found = set(asked), dict[tuple[int, Money], PaymentRow]()
    for row in session.execute(statement.order_by(Payment.id)):
        payment = PaymentRow(*row)
        key = (payment.customer_id, Money(payment.amount_minor, payment.currency))
        if key in wanted:
            found.setdefault(key, payment)
    return found


def allocations(
    session: Session, actor: Actor, *, payment_id: int | None = None, invoice_id: int | None = None, limit: int = 500
) -> list[AllocationRow]:
    """The allocations of a payment, or to an invoice, oldest first; undone ones included."""
    actor.require(Permission.PAYMENT_READ)
    statement: Select[*tuple[Any, ...]] = (
        select(
            Allocation.id,
            Allocation.kind,
            Allocation.payment_id,
            Payment.method,
            func.coalesce(Payment.reference, ""),
            Invoice.business_id,
            Allocation.invoice_id,
            Invoice.number,
            Invoice.currency,
            Allocation.amount_minor,
            Allocation.allocated_on,
            Allocation.undone_at,
            Allocation.created_by,
            exists().where(
                or_(
                    Chargeback.entry_id == Allocation.undone_entry_id,
                    Chargeback.returned_entry_id == Allocation.undone_entry_id,
                )
            ),
        )
        .join(Invoice, Invoice.id == Allocation.invoice_id)
        .outerjoin(Payment, Payment.id == Allocation.payment_id)
        .where(visible_to(actor, Invoice.customer_id))
        .order_by(Allocation.id)
        .limit(limit)
    )
    if payment_id is not None:
        statement = statement.where(Allocation.payment_id == payment_id)
    if invoice_id is not None:
        statement = statement.where(Allocation.invoice_id == invoice_id)
    return [AllocationRow(*row) for row in session.execute(statement)]


def refunds(
    session: Session,
    actor: Actor,
    *,
    customer_id: int | None = None,
    invoice_id: int | None = None,
    payment_id: int | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[RefundRow]:
    """Refunds, newest first. ``payment_id``: those of one payment through its gateway."""
    actor.require(Permission.PAYMENT_READ)
    statement: Select[*tuple[Any, ...]] = (
        select(
            Refund.id,
            Refund.source,
            Refund.customer_id,
            Customer.name,
            Refund.invoice_id,
            Invoice.number,
            Refund.credit_note_id,
            Refund.currency,
            Refund.amount_minor,
            Refund.method,
            Refund.refunded_on,
            Refund.reference,
            Refund.reason,
            Refund.created_by,
        )
        .join(Customer, Customer.id == Refund.customer_id)
        .outerjoin(Invoice, Invoice.id == Refund.invoice_id)
        .where(visible_to(actor, Refund.customer_id))
        .order_by(Refund.refunded_on.desc(), Refund.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if customer_id is not None:
        statement = statement.where(Refund.customer_id == customer_id)
    if invoice_id is not None:
        statement = statement.where(Refund.invoice_id == invoice_id)
    if payment_id is not None:
        statement = statement.where(Refund.payment_id == payment_id)
    return [RefundRow(*row) for row in session.execute(statement)]


def refund_count(session: Session, actor: Actor, *, customer_id: int | None = None) -> int:
    actor.require(Permission.PAYMENT_READ)
    statement = select(func.count()).select_from(Refund).where(visible_to(actor, Refund.customer_id))
    if customer_id is not None:
        statement = statement.where(Refund.customer_id == customer_id)
    return session.scalar(statement) or 0


def conditions(actor: Actor, filters: PaymentFilter) -> list[ColumnElement[bool]]:
    """A list's: the filter's, and what this actor may see."""
    found = [visible_to(actor, Payment.customer_id)]
    if filters.customer_id is not None:
        found.append(Payment.customer_id == filters.customer_id)
    if filters.business_id is not None:
        found.append(Payment.business_id == filters.business_id)
    if filters.received_from is not None:
        found.append(Payment.received_on >= filters.received_from)
    if filters.received_to is not None:
        found.append(Payment.received_on <= filters.received_to)
    if filters.currency:
        found.append(equals(Payment.currency, filters.currency))
    if filters.method in set(PaymentMethod):
        found.append(Payment.method == PaymentMethod(filters.method))
    if filters.undone is not None:
        found.append(Payment.undone_at.is_not(None) if filters.undone else Payment.undone_at.is_(None))
    if text := filters.text.strip():
        named = mentions(text, Customer.name, Customer.ref, Payment.reference, Payment.note)
        amount = has_amount(text, Payment.currency, Payment.amount_minor)
        found.append(named | amount | equals(Payment.public_id, text))
    return found
