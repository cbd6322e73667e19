"""Payments and what they pay."""

import enum
import secrets
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.invoices.payment_links import Mode

LONGEST_REFERENCE = 120


class PaymentMethod(enum.StrEnum):
    """The payment method; each has its own cash account in the ledger."""

    BANK_TRANSFER = "bank_transfer"
    CASH = "cash"
    CHEQUE = "cheque"
    CARD = "card"
    STRIPE = "stripe"
    OTHER = "other"


class AllocationKind(enum.StrEnum):
    """PAYMENT: with a payment's own money. CREDIT: with credit that the customer had. PREPAID: with prepaid credit."""

    PAYMENT = "payment"
    CREDIT = "credit"
    PREPAID = "prepaid"


class RefundSource(enum.StrEnum):
    """INVOICE: takes a paid invoice back. CREDIT: pays out money that was kept for the customer."""

    INVOICE = "invoice"
    CREDIT = "credit"


class ChargebackSource(enum.StrEnum):
    """Where the money was. INVOICE: it is due again. CREDIT: the customer has less. LOSS: it had gone back before."""

    INVOICE = "invoice"
    CREDIT = "credit"
    LOSS = "loss"


def new_public_id() -> str:
    return f"pay_{secrets.token_hex(8)}"


class Payment(Base):
    """Money received. What it does not allocate is the customer's credit. ``undone_at``: it was recorded in error."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("fee_minor >= 0 AND fee_minor <= amount_minor", name="fee"),
        Index("ix_payments_received", "received_on", "id"),
        Index("ix_payments_amount", "currency", "amount_minor", "id"),
        # The total of all payments that stand is read from this index alone.
        Index(
            "ix_payments_standing",
            *("currency", "amount_minor"),
            sqlite_where=text("undone_at IS NULL"),
            postgresql_where=text("undone_at IS NULL"),
        ),
        Index("ix_payments_customer", "customer_id", "received_on", "id"),
        Index("uq_payments_gateway_key", "gateway_key", unique=True),
        Index("ix_payments_intent_id", "intent_id"),
        Index("ix_payments_charge_id", "charge_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=new_public_id)
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    method: Mapped[PaymentMethod]
    received_on: Mapped[date]
    reference: Mapped[str] = mapped_column(String(LONGEST_REFERENCE), default="")
    note: Mapped[str] = mapped_column(String(500), default="")
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"), unique=True)
    # The gateway's ids: ``gateway_key`` (``pi_…`` or ``in_…``) is unique, so that it is recorded once; events about
    # refunds and disputes name the others.
    gateway_key: Mapped[str | None] = mapped_column(String(255))
    intent_id: Mapped[str | None] = mapped_column(String(255))
    charge_id: Mapped[str | None] = mapped_column(String(255))
    # The gateway's mode; empty where no gateway collected.
    mode: Mapped[Mode | None]
    # The entry of the fee, where the gateway reported it after the payment.
    fee_entry_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("ledger_entries.id"))
    undone_at: Mapped[datetime | None]
    undone_reason: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))


class Allocation(Base):
    """An amount allocated to one invoice. ``payment_id`` is NULL where it came from credit.
    ``undone_entry_id``: the entry that turned it back into credit, or took it back to the payer's bank; empty where the
    whole payment was undone. ``entry_id``: the payment's, or where it came before the invoice owed it, one of the day
    from which on it did. What a bank left of it stands as another, with the entry of the first.
    """

    __tablename__ = "payment_allocations"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(kind = 'payment') = (payment_id IS NOT NULL)", name="payment"),
        Index("ix_payment_allocations_invoice_id", "invoice_id"),
        Index("ix_payment_allocations_payment_id", "payment_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[AllocationKind]
    payment_id: Mapped[int | None] = mapped_column(ForeignKey(Payment.id, ondelete="RESTRICT"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    allocated_on: Mapped[date]
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"))
    undone_at: Mapped[datetime | None]
    undone_entry_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(200))


class Refund(Base):
    """Money paid back. One that refunds an invoice has a credit note. ``method`` is NULL where the money was not paid
    out but kept as the customer's credit.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(source = 'invoice') = (invoice_id IS NOT NULL)", name="invoice"),
        Index("ix_refunds_customer", "customer_id", "refunded_on", "id"),
        Index("ix_refunds_invoice_id", "invoice_id"),
        Index("ix_refunds_payment_id", "payment_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[RefundSource]
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    credit_note_id: Mapped[int | None] = mapped_column(ForeignKey(CreditNote.id, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    method: Mapped[PaymentMethod | None]
    refunded_on: Mapped[date]
    reference: Mapped[str] = mapped_column(String(LONGEST_REFERENCE), default="")
    reason: Mapped[str] = mapped_column(String(500))
    # The payment refunded through its gateway; the sum of its rows is what the gateway has refunded in total.
    payment_id: Mapped[int | None] = mapped_column(ForeignKey(Payment.id))
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))


class Chargeback(Base):
    """A part of a payment that its payer's bank took back for good. ``key``: names the dispute, which may have several
    parts. ``discount_minor``: what the payment had taken off the invoice by being early, which is due again with it.
    ``write_off_entry_id``: the entry that wrote off what would be due again on the invoice.
    ``returned_at``: the bank has given the money back since, on ``returned_on``.
    """

    __tablename__ = "chargebacks"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(source = 'invoice') = (invoice_id IS NOT NULL)", name="invoice"),
        CheckConstraint("(returned_at IS NULL) = (returned_entry_id IS NULL)", name="returned"),
        Index("ix_chargebacks_key", "key"),
        Index("ix_chargebacks_payment_id", "payment_id"),
        Index("ix_chargebacks_invoice_id", "invoice_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300))
    payment_id: Mapped[int] = mapped_column(ForeignKey(Payment.id, ondelete="RESTRICT"))
    source: Mapped[ChargebackSource]
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    discount_minor: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    taken_on: Mapped[date]
    reason: Mapped[str] = mapped_column(String(200))
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"), unique=True)
    write_off_entry_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"))
    returned_on: Mapped[date | None]
    returned_at: Mapped[datetime | None]
    returned_entry_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))
