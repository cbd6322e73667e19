"""Prepaid credit, and everything that took from it or gave back to it."""

import enum
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.invoices.models import Invoice
from billing_core.payments.models import Allocation


class Origin(enum.StrEnum):
    """GIVEN: nobody paid for it. BOUGHT: an invoice for it was paid."""

    GIVEN = "given"
    BOUGHT = "bought"


class MovementKind(enum.StrEnum):
    """USED: it paid an invoice. RELEASED: that was reversed. REFUNDED: the invoice was credited. EXPIRED: after its
    last day. WITHDRAWN: taken back, by a person or because what was bought is not paid any more. RESTORED: it is again.
    """

    USED = "used"
    RELEASED = "released"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"


_LEFT = text("remaining_minor > 0")


class PrepaidPurchase(Base):
    """An invoice by which a customer buys prepaid credit: what it comes to before tax, once it is paid. It can be used
    for ``valid_days`` from then on, that day included; None: for ever. ``automatic``: nobody decided it, see
    ``PrepaidTopUp``.
    """

    __tablename__ = "prepaid_purchases"
    __table_args__ = (
        CheckConstraint("valid_days > 0", name="valid_days"),
        Index("ix_prepaid_purchases_customer_id", "customer_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"), unique=True)
    valid_days: Mapped[int | None]
    automatic: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(200))


class PrepaidTopUp(Base):
    """Once less than ``below_minor`` of a customer's credit is left, the gap to ``up_to_minor`` is sold, in minor units
    of the customer's currency. ``sends``: by mail, otherwise as a draft. ``refused_at``: when no invoice could be made
    of it, for the reason ``refusal``; empty once one was.
    """

    __tablename__ = "prepaid_top_ups"
    __table_args__ = (
        CheckConstraint("below_minor > 0 AND up_to_minor >= below_minor", name="amounts"),
        CheckConstraint("valid_days > 0", name="valid_days"),
    )

    customer_id: Mapped[int] = mapped_column(
        ForeignKey(Customer.id, ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    below_minor: Mapped[int] = mapped_column(BigInteger)
    up_to_minor: Mapped[int] = mapped_column(BigInteger)
    valid_days: Mapped[int | None]
    sends: Mapped[bool]
    set_at: Mapped[datetime]
    refused_at: Mapped[datetime | None]
    refusal: Mapped[str] = mapped_column(String(500), default="", server_default="")


class PrepaidGrant(Base):
    """Credit with one origin and one last day, ``expires_on``, in the zone in which the customer's usage is billed;
    None: it does not expire. Amounts are minor units of ``currency``: of ``amount_minor`` there are ``remaining_minor``
    left, and ``withdrawn_minor`` were taken back.
    """

    __tablename__ = "prepaid_grants"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("remaining_minor BETWEEN 0 AND amount_minor", name="remaining"),
        CheckConstraint("withdrawn_minor BETWEEN 0 AND amount_minor - remaining_minor", name="withdrawn"),
        CheckConstraint("(origin = 'bought') = (purchase_id IS NOT NULL)", name="bought"),
        Index(
            "ix_prepaid_grants_left",
            *("customer_id", "business_id", "currency"),
            sqlite_where=_LEFT,
            postgresql_where=_LEFT,
        ),
        Index("ix_prepaid_grants_expires_on", "expires_on", sqlite_where=_LEFT, postgresql_where=_LEFT),
        Index("ix_prepaid_grants_customer_id", "customer_id", "id"),
        Index("ix_prepaid_grants_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    origin: Mapped[Origin]
    purchase_id: Mapped[int | None] = mapped_column(ForeignKey(PrepaidPurchase.id, ondelete="RESTRICT"), unique=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    remaining_minor: Mapped[int] = mapped_column(BigInteger)
    withdrawn_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    expires_on: Mapped[date | None]
    reason: Mapped[str] = mapped_column(String(500), default="")
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"), unique=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(200))


class PrepaidMovement(Base):
    """What took from a grant (negative minor units) or gave back to it. ``allocation_id``: to which invoice's payment
    it belongs, where it was used, released or refunded.
    """

    __tablename__ = "prepaid_movements"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount"),
        CheckConstraint(
            "(kind IN ('used', 'released', 'refunded')) = (allocation_id IS NOT NULL)", name="of_allocation"
        ),
        Index("ix_prepaid_movements_grant_id", "grant_id", "id"),
        Index("ix_prepaid_movements_allocation_id", "allocation_id"),
        Index("ix_prepaid_movements_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    grant_id: Mapped[int] = mapped_column(ForeignKey(PrepaidGrant.id, ondelete="RESTRICT"))
    kind: Mapped[MovementKind]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    allocation_id: Mapped[int | None] = mapped_column(ForeignKey(Allocation.id, ondelete="RESTRICT"))
    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey("ledger_entries.id", ondelete="RESTRICT"))
    moved_on: Mapped[date]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(200))
