"""What a billed period of usage was made of, and what became of what changed it afterwards."""

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.invoices.models import Invoice
from billing_core.metering.models import Exact, Meter, UsagePeriod
from billing_core.plans.models import PlanVersion


class Outcome(enum.StrEnum):
    """What became of late items. CREDITED: credit notes took their worth off, as far as it had not been waived. WAIVED:
    nobody was asked for them, nor credited, nor either for what was withdrawn of those. NOTHING: together they came to
    0, or took off what nobody was asked for. BILLED_ANEW: their period was.
    """

    INVOICED = "invoiced"
    CREDITED = "credited"
    WAIVED = "waived"
    NOTHING = "nothing"
    BILLED_ANEW = "billed_anew"


class UsageSettlement(Base):
    """Late items of one billed period that were dealt with together. ``invoice_id``: the one that they are on; once it
    is cancelled, they are open again. ``reason``: why they were waived, or what the credit notes say.
    """

    __tablename__ = "usage_settlements"
    __table_args__ = (
        Index("ix_usage_settlements_period_id", "period_id"),
        Index("ix_usage_settlements_invoice_id", "invoice_id"),
        CheckConstraint("outcome = 'invoiced' OR invoice_id IS NULL", name="invoiced"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    period_id: Mapped[int] = mapped_column(BigId, ForeignKey(UsagePeriod.id, ondelete="RESTRICT"))
    outcome: Mapped[Outcome]
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    reason: Mapped[str] = mapped_column(String(500), default="")
    settled_at: Mapped[datetime]
    settled_by: Mapped[str] = mapped_column(String(200))


class UsageLine(Base):
    """What one meter came to on the days of one segment of a billed period, both ends included; one of its buckets,
    or, with ``NO_BUCKET``, what fits into none.

    The quantity is ``whole`` + ``millionths`` / 1,000,000, as in ``UsageDay``. ``parts`` are what the billable rest was
    priced by: of each its ``quantity`` and the ``price`` of one, in major units, as texts. ``amount_minor`` is in minor
    units of ``currency``, rounded once. Of a meter whose quantities hold on, ``held_event_id`` is the event whose
    quantity held when the days began, as far as was known when they were billed.

    A line with a ``settlement_id`` is by what late items changed that line: its quantity and amount can be negative.
    """

    __tablename__ = "usage_lines"
    __table_args__ = (
        Index(
            "ix_usage_lines_period_id",
            "period_id",
            "position",
            unique=True,
            sqlite_where=text("settlement_id IS NULL"),
            postgresql_where=text("settlement_id IS NULL"),
        ),
        CheckConstraint("first_day <= last_day", name="in_order"),
        CheckConstraint("amount_minor >= 0 OR settlement_id IS NOT NULL", name="amount_not_negative"),
        Index("ix_usage_lines_settlement_id", "settlement_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    period_id: Mapped[int] = mapped_column(BigId, ForeignKey(UsagePeriod.id, ondelete="RESTRICT"))
    position: Mapped[int]
    meter_id: Mapped[int] = mapped_column(ForeignKey(Meter.id, ondelete="RESTRICT"))
    bucket_id: Mapped[int]
    first_day: Mapped[date]
    last_day: Mapped[date]
    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    whole: Mapped[int] = mapped_column(BigInteger)
    millionths: Mapped[int] = mapped_column(BigInteger)
    included: Mapped[Decimal] = mapped_column(Exact)
    parts: Mapped[list[dict[str, Any]]]
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    held_event_id: Mapped[str | None] = mapped_column(String(255))
    settlement_id: Mapped[int | None] = mapped_column(BigId, ForeignKey(UsageSettlement.id, ondelete="RESTRICT"))
