"""Invoices with their lines and history, and credit notes."""

import enum
import secrets
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.businesses.models import Business
from billing_core.businesses.number_format import key_of_row
from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId, LineQuantity, Percent, ReadingOrder, UnitPrice, order_of
from billing_core.money import Money
from billing_core.orders.models import Order
from billing_core.rating.models import Service
from billing_core.recipients import LONGEST_LIST
from billing_core.reports.models import BillingReport


class InvoiceState(enum.StrEnum):
    """What is stored; the published status is derived from it and the facts (``lifecycle.status``)."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"


class LineType(enum.StrEnum):
    SERVICE = "service"
    PRODUCT = "product"
    FEE = "fee"
    OTHER = "other"


class EventKind(enum.StrEnum):
    """What can happen to an invoice; the timeline shows them in order."""

    CREATED = "created"
    EDITED = "edited"
    SENT = "sent"
    MAILED = "mailed"
    VIEWED = "viewed"
    DOWNLOADED = "downloaded"
    REMINDED = "reminded"
    HELD = "held"
    RELEASED = "released"
    MARKED_OVERDUE = "marked_overdue"
    PAYMENT = "payment"
    PAYMENT_UNDONE = "payment_undone"
    PAYMENT_FAILED = "payment_failed"
    CREDIT_APPLIED = "credit_applied"
    CREDIT_NOTE = "credit_note"
    REFUNDED = "refunded"
    WRITTEN_OFF = "written_off"
    WRITE_OFF_UNDONE = "write_off_undone"
    CANCELLED = "cancelled"
    # Its stored value stays as it was first written: history is append-only.
    LINK_CREATED = "link_issued"
    LINK_ENDED = "link_ended"
    DISPUTED = "disputed"
    DISPUTE_CLOSED = "dispute_closed"
    BOUNCED = "bounced"
    DELAYED = "delayed"


def _public_id(kind: str) -> Callable[[], str]:
    return lambda: f"{kind}_{secrets.token_hex(8)}"


def _token() -> str:
    """192 random bits: whoever has the link may see the invoice."""
    return secrets.token_urlsafe(24)


# What lists show: all but discarded drafts. Written out, so that SQLite can match its indexes.
LISTED = "state <> 'cancelled' OR number IS NOT NULL"


def _only(name: str, *columns: str, where: str = LISTED) -> Index:
    """Of the rows that lists show, an order in which they can be paged through without sorting; or of other rows."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


# The earliest of the three, those that are missing left out, as both databases read it.
_LATE_AFTER: Final = (
    "CASE WHEN marked_late_after < due_on AND (failed_late_after IS NULL OR marked_late_after <= failed_late_after) "
    "THEN marked_late_after WHEN failed_late_after < due_on THEN failed_late_after ELSE due_on END"
)


class Invoice(Base):
    """What a customer is asked to pay. Amounts are minor units of ``currency``, updated in the transaction that posts
    to the ledger; ``verify`` proves that they agree. ``subtotal_minor`` is before tax and after discounts; the
    invoice's own discount is ``discount_minor`` as an amount, ``discount_percent`` as a share. ``lines_rounded``: its
    sums are those of its rounded lines; not so of what was sent before that rule, whose sums were rounded from exact
    ones and stay, and which do not state tax of 0 %. ``zero_tax_reason`` is why there is some. The names of customer
    and issuer are copies: editable in a draft, frozen with the number. ``customer_country`` is the customer's when it
    was sent, for the tax return. ``number_key`` tells numbers apart; of those that were the same before that rule, the
    later ones have their id behind it.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("business_id", "number"),
        UniqueConstraint("business_id", "series", "sequence"),
        Index("ix_invoices_number_key", "business_id", "number_key", unique=True),
        CheckConstraint("state = 'draft' OR number IS NOT NULL OR state = 'cancelled'", name="numbered"),
        CheckConstraint("(series IS NULL) = (sequence IS NULL)", name="series_with_sequence"),
        CheckConstraint("total_minor = subtotal_minor + tax_minor AND total_minor >= 0", name="total"),
        CheckConstraint("paid_minor >= 0 AND credited_minor >= 0 AND written_off_minor >= 0", name="settled"),
        CheckConstraint("paid_minor + credited_minor + written_off_minor <= total_minor", name="not_over_settled"),
        CheckConstraint("refunded_minor BETWEEN 0 AND paid_minor", name="refunded"),
        CheckConstraint(
            "state <> 'paid' OR paid_minor + credited_minor + written_off_minor = total_minor", name="paid"
        ),
        CheckConstraint("due_on >= issued_on", name="due_after_issue"),
        CheckConstraint("discount_percent IS NULL OR discount_minor IS NULL", name="one_discount"),
        Index("ix_invoices_customer", "customer_id", "issued_on", "id"),
        # Those overdue, the first due first: they come first among the open ones, and the index tells which they are.
        Index("ix_invoices_state_due_on", "state", "due_on", "id", "late_after"),
        _only("ix_invoices_issued", "issued_on", "id"),
        _only("ix_invoices_due_on", "due_on", "id"),
        _only("ix_invoices_created", "created_at", "id"),
        _only("ix_invoices_number_order", "business_id", "number_order", "id"),
        _only("ix_invoices_customer_name_order", "customer_name_order", "id"),
        _only("ix_invoices_currency_total", "currency", "total_minor", "id"),
        _only("ix_invoices_currency_due", "currency", "due_minor", "id"),
        # Searches for an amount look up the total, and what is due.
        _only("ix_invoices_total", "total_minor", "id"),
        _only("ix_invoices_due", "due_minor", "id", where="state = 'open'"),
        # For programs, which read a business's invoices newest first, all or those of one status.
        _only("ix_invoices_business", "business_id", "id"),
        Index("ix_invoices_business_state", "business_id", "state", "id"),
        _only("ix_invoices_payment_failed_at", "payment_failed_at", where="payment_failed_at IS NOT NULL"),
        # Ageing and outstanding amounts are read from this index alone.
        Index("ix_invoices_late", "state", "currency", "late_after", "business_id", "customer_id", "due_minor"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=_public_id("inv"))
    token: Mapped[str] = mapped_column(String(64), unique=True, default=_token)
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    state: Mapped[InvoiceState] = mapped_column(default=InvoiceState.DRAFT)
    number: Mapped[str | None] = mapped_column(String(64))
    # Where its number stands in lists; drafts without one come first.
    number_order: Mapped[str] = mapped_column(ReadingOrder, default=order_of("number"), server_default="")
    number_key: Mapped[str | None] = mapped_column(Text, default=key_of_row)
    series: Mapped[str | None] = mapped_column(String(64))
    sequence: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3))
    issued_on: Mapped[date]
    due_on: Mapped[date]
    payment_terms: Mapped[str] = mapped_column(String(200), default="")
    notes: Mapped[str] = mapped_column(Text, default="")
    reference: Mapped[str] = mapped_column(String(120), default="")

    customer_name: Mapped[str] = mapped_column(String(200), default="")
    customer_name_order: Mapped[str] = mapped_column(ReadingOrder, default=order_of("customer_name"), server_default="")
    customer_email: Mapped[str] = mapped_column(String(254), default="")
    further_emails: Mapped[str] = mapped_column(String(LONGEST_LIST), default="", server_default="")
    cc_emails: Mapped[str] = mapped_column(String(LONGEST_LIST), default="", server_default="")
    bcc_emails: Mapped[str] = mapped_column(String(LONGEST_LIST), default="", server_default="")
    customer_address: Mapped[str] = mapped_column(String(1000), default="")
    customer_tax_id: Mapped[str] = mapped_column(String(64), default="")
    customer_country: Mapped[str] = mapped_column(String(2), default="", server_default="")
    zero_tax_reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    # With the country whose way of writing figures it has, such as "de-CH"; without it on what was made before that.
    language: Mapped[str] = mapped_column(String(8), default="en")
    # The issuer as it was when the invoice was sent: name, address, email, tax_id, bank_details. NULL in a draft.
    issuer: Mapped[dict[str, Any] | None]

    discount_percent: Mapped[Decimal | None] = mapped_column(Percent)
    discount_minor: Mapped[int | None] = mapped_column(BigInteger)
    # Prices, line amounts and discounts are with tax; the sums are as on every invoice.
    prices_include_tax: Mapped[bool] = mapped_column(default=False, server_default=false())
    # A row that does not say is from before.
    lines_rounded: Mapped[bool] = mapped_column(default=True, server_default=false())
    subtotal_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    tax_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    total_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    paid_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    credited_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    written_off_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    # The amount still to be paid; the database computes it, so that it cannot disagree.
    due_minor: Mapped[int] = mapped_column(
        BigInteger,
        Computed(
            "CASE WHEN state = 'open' THEN total_minor - paid_minor - credited_minor - written_off_minor ELSE 0 END",
            persisted=True,
        ),
    )

    sent_at: Mapped[datetime | None]
    viewed_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    payment_failed_at: Mapped[datetime | None]
    payment_failure: Mapped[str] = mapped_column(String(500), default="")
    marked_overdue_at: Mapped[datetime | None]
    # The last days on which it was in time, where a person or a failed charge of the invoice made it late before its
    # due date: the day before that, in the business's time zone.
    marked_late_after: Mapped[date | None]
    failed_late_after: Mapped[date | None]
    # Since when failed charges count: before, it was paid, or its due date was moved ahead.
    failures_from: Mapped[datetime | None]
    # The last day on which it is in time. Whoever asks what is overdue, and for how long, asks this.
    late_after: Mapped[date] = mapped_column(Computed(_LATE_AFTER, persisted=True))
    # Where it can be paid online now, with Stripe's id: copies of its active payment link.
    payment_url: Mapped[str | None] = mapped_column(String(2000))
    stripe_invoice_id: Mapped[str | None] = mapped_column(String(255))
    held_until: Mapped[date | None]
    hold_reason: Mapped[str] = mapped_column(String(200), default="")

    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    # Two people saving the same invoice: the second gets StaleDataError.
    __mapper_args__ = {"version_id_col": version, "eager_defaults": True}

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)

    @property
    def amount_due(self) -> Money:
        return Money(self.due_minor, self.currency)


class InvoiceLineItem(Base):
    """One line. ``unit_price`` is in major units; ``amount_minor`` is after the line's own discount, rounded
    once; the invoice's sums are those of these. Where it takes something off, quantity or price is negative.
    """

    __tablename__ = "invoice_line_items"
    __table_args__ = (
        Index("ix_invoice_line_items_invoice_id", "invoice_id", "position"),
        _only("ix_invoice_line_items_usage_line_id", "usage_line_id", where="usage_line_id IS NOT NULL"),
        _only("ix_invoice_line_items_order_id", "order_id", where="order_id IS NOT NULL"),
        # Searches for a service's code.
        _only("ix_invoice_line_items_service_id", "service_id", "invoice_id", where="service_id IS NOT NULL"),
        CheckConstraint("quantity <> 0", name="quantity"),
        CheckConstraint("unit_price >= 0 OR quantity > 0", name="unit_price"),
        CheckConstraint("tax_rate >= 0 AND tax_rate <= 1000000", name="tax_rate"),
        CheckConstraint("discount_percent IS NULL OR discount_minor IS NULL", name="one_discount"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=_public_id("li"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    position: Mapped[int]
    description: Mapped[str] = mapped_column(String(2000))
    quantity: Mapped[Decimal] = mapped_column(LineQuantity)
    unit_price: Mapped[Decimal] = mapped_column(UnitPrice)
    type: Mapped[LineType] = mapped_column(default=LineType.SERVICE)
    tax_rate: Mapped[Decimal] = mapped_column(Percent, default=Decimal(0))
    discount_percent: Mapped[Decimal | None] = mapped_column(Percent)
    discount_minor: Mapped[int | None] = mapped_column(BigInteger)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    service_id: Mapped[int | None] = mapped_column(ForeignKey(Service.id, ondelete="RESTRICT"))
    report_id: Mapped[int | None] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"))
    # Where it bills one order of the report; none of those that were made before this was kept.
    order_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey(Order.id))
    # What it bills of usage. No foreign key: `usage` stands below this room; ``verify`` proves the two alike.
    usage_line_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class InvoicedReport(Base):
    """The reports that an invoice bills. Discarding a draft deletes its rows. ``again_reason``: why it may bill orders
    that another invoice bills. ``released_at``: since then it bills nothing of the report, being cancelled or
    wholly credited.
    """

    __tablename__ = "invoiced_reports"
    __table_args__ = (Index("ix_invoiced_reports_report_id", "report_id"),)

    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"), primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey(BillingReport.id, ondelete="RESTRICT"), primary_key=True)
    again_reason: Mapped[str] = mapped_column(String(500), default="", server_default="")
    released_at: Mapped[datetime | None]


class InvoiceEvent(Base):
    """An event in an invoice's history. ``data`` holds what its sentence needs, amounts in minor units."""

    __tablename__ = "invoice_events"
    __table_args__ = (Index("ix_invoice_events_invoice_id", "invoice_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    at: Mapped[datetime]
    kind: Mapped[EventKind]
    actor_id: Mapped[int | None]
    actor_name: Mapped[str] = mapped_column(String(200))
    data: Mapped[dict[str, Any] | None]


class CreditNote(Base):
    """A document that credits part or all of an invoice. It has its own number and never changes. ``refund_minor`` of
    it was paid back rather than taken off what was due. ``early_payment``: it credits what paying early took off; that
    is withdrawn where the payment is undone or taken back: from ``withdrawn_on`` on nothing of it is credited.
    ``zero_tax_reason`` is why it credits at 0 %; NULL: it was issued before tax of 0 % was stated, and does not.
    """

    __tablename__ = "credit_notes"
    __table_args__ = (
        UniqueConstraint("business_id", "number"),
        UniqueConstraint("business_id", "series", "sequence"),
        Index("ix_credit_notes_number_key", "business_id", "number_key", unique=True),
        CheckConstraint("total_minor = subtotal_minor + tax_minor AND total_minor > 0", name="total"),
        Index("ix_credit_notes_invoice_id", "invoice_id"),
        Index("ix_credit_notes_issued_on", "issued_on", "id"),
        Index("ix_credit_notes_customer", "customer_id", "issued_on", "id"),
        Index(
            "ix_credit_notes_early_payment",
            "invoice_id",
            sqlite_where=text("early_payment IS 1"),
            postgresql_where=text("early_payment IS true"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=_public_id("cn"))
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    number: Mapped[str] = mapped_column(String(64))
    number_key: Mapped[str | None] = mapped_column(Text, default=key_of_row)
    series: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    issued_on: Mapped[date]
    reason: Mapped[str] = mapped_column(String(500))
    zero_tax_reason: Mapped[str | None] = mapped_column(String(200))
    subtotal_minor: Mapped[int] = mapped_column(BigInteger)
    tax_minor: Mapped[int] = mapped_column(BigInteger)
    total_minor: Mapped[int] = mapped_column(BigInteger)
    refund_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    early_payment: Mapped[bool] = mapped_column(default=False, server_default=false())
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"), unique=True)
    withdrawn_on: Mapped[date | None]
    withdrawn_at: Mapped[datetime | None]
    # The entry that reverses its own.
    withdrawn_entry_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("ledger_entries.id"))
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))


class CreditNoteLine(Base):
    """One line of a credit note: ``amount_minor`` before tax at one rate. Where lines of the invoice were chosen, it is
    so much of one, ``quantity`` at its ``unit_price`` in major units less its discounts; else the three are NULL.
    """

    __tablename__ = "credit_note_lines"
    __table_args__ = (
        Index("ix_credit_note_lines_credit_note_id", "credit_note_id", "position"),
        _only("ix_credit_note_lines_invoice_line_id", "invoice_line_id", where="invoice_line_id IS NOT NULL"),
        ForeignKeyConstraint(["credit_note_id"], [CreditNote.id], ondelete="RESTRICT"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    credit_note_id: Mapped[int]
    position: Mapped[int]
    # No foreign key, which SQLite would copy the table for: lines of what was sent stay, and ``verify`` proves it.
    invoice_line_id: Mapped[int | None] = mapped_column(BigInteger)
    quantity: Mapped[Decimal | None] = mapped_column(LineQuantity)
    unit_price: Mapped[Decimal | None] = mapped_column(UnitPrice)
    description: Mapped[str] = mapped_column(String(2000))
    type: Mapped[LineType]
    tax_rate: Mapped[Decimal] = mapped_column(Percent)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    tax_minor: Mapped[int] = mapped_column(BigInteger)
