"""Entries and their postings. Triggers in the database refuse to update or delete either."""

import enum
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base
from billing_core.database.types import BigId


class Account(enum.StrEnum):
    """The subject of a posting. A positive amount is a debit, a negative one a credit."""

    RECEIVABLE = "receivable"
    REVENUE = "revenue"
    TAX_PAYABLE = "tax_payable"
    CASH = "cash"
    FEES = "fees"
    CUSTOMER_CREDIT = "customer_credit"
    BAD_DEBT = "bad_debt"
    PREPAID_CREDIT = "prepaid_credit"
    PROMOTION = "promotion"


class EntryKind(enum.StrEnum):
    """What happened. CHARGEBACK: a payer's bank took money back, or returned it. PREPAID_ENDED: it expired or was
    withdrawn. REVERSAL: the opposite of the entry that ``reverses_id`` names.
    """

    INVOICE = "invoice"
    PAYMENT = "payment"
    REFUND = "refund"
    CREDIT_NOTE = "credit_note"
    CREDIT_APPLIED = "credit_applied"
    CREDIT_PAID_OUT = "credit_paid_out"
    WRITE_OFF = "write_off"
    FEE = "fee"
    CHARGEBACK = "chargeback"
    PREPAID_GRANTED = "prepaid_granted"
    PREPAID_ENDED = "prepaid_ended"
    REVERSAL = "reversal"


class LedgerEntry(Base):
    """One event about money; its postings add up to 0. ``effective_on`` is the day on which it counts, ``recorded_at``
    the instant from which it was known. ``document`` names its cause, such as "invoice:7" or "payment:3". One business
    and one currency.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        Index("ix_ledger_entries_document", "document"),
        Index("ix_ledger_entries_effective_on", "effective_on", "kind"),
        CheckConstraint("(kind = 'reversal') = (reverses_id IS NOT NULL)", name="reversal_names_its_entry"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey("businesses.id", ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    kind: Mapped[EntryKind]
    document: Mapped[str] = mapped_column(String(40))
    memo: Mapped[str] = mapped_column(String(200), default="")
    effective_on: Mapped[date]
    recorded_at: Mapped[datetime]
    recorded_by_id: Mapped[int | None]
    recorded_by: Mapped[str] = mapped_column(String(200))
    # An entry is reversed at most once.
    reverses_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"), unique=True
    )


class LedgerPosting(Base):
    """One side of an entry. ``detail``: the revenue's line type, the tax rate, the payment method. The entry's
    business, customer, currency and times are repeated here, so that a balance is one range of one index; the customer
    is the one into whom the entry's was merged, if it was.
    """

    __tablename__ = "ledger_postings"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount_not_zero"),
        Index("ix_ledger_postings_entry_id", "entry_id"),
        Index("ix_ledger_postings_invoice", "invoice_id", "account", "effective_on", "recorded_at", "amount_minor"),
        Index(
            "ix_ledger_postings_account",
            "account",
            "customer_id",
            "currency",
            "effective_on",
            "recorded_at",
            "amount_minor",
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey(LedgerEntry.id, ondelete="RESTRICT"))
    account: Mapped[Account]
    detail: Mapped[str] = mapped_column(String(32), default="")
    business_id: Mapped[int]
    customer_id: Mapped[int]
    invoice_id: Mapped[int | None]
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    effective_on: Mapped[date]
    recorded_at: Mapped[datetime]


class UnsealedEntry(Base):
    """Entries that the sealing job has not chained yet: written with the entry, removed with its seal."""

    __tablename__ = "ledger_unsealed"

    entry_id: Mapped[int] = mapped_column(
        BigId, ForeignKey(LedgerEntry.id, ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )


class LedgerDay(Base):
    """What sealed entries of a kind posted to an account on one day, in minor units. ``kind``: of a reversal, the kind
    of the reversed entry.
    """

    __tablename__ = "ledger_days"

    account: Mapped[Account] = mapped_column(primary_key=True)
    kind: Mapped[EntryKind] = mapped_column(primary_key=True)
    effective_on: Mapped[date] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)


class LedgerSeal(Base):
    """One link of the chain: ``digest`` covers the entry, its postings and the digest before it (SHA-256, hex)."""

    __tablename__ = "ledger_seals"

    sequence: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey(LedgerEntry.id, ondelete="RESTRICT"), unique=True)
    digest: Mapped[str] = mapped_column(String(64))
    sealed_at: Mapped[datetime]
