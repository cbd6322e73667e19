"""What a billed period of usage was made of."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.metering.models import Exact, Meter, UsagePeriod
from billing_core.plans.models import PlanVersion


class UsageLine(Base):
    """What one meter came to on the days of one segment of a billed period, both ends included. ``bucket_id`` 0: in no
    bucket.

    The quantity is ``whole`` + ``millionths`` / 1,000,000, as in ``UsageDay``. ``parts`` are what the billable rest was
    priced by: of each its ``quantity`` and the ``price`` of one, in major units, as texts. ``amount_minor`` is in minor
    units of ``currency``, rounded once.
    """

    __tablename__ = "usage_lines"
    __table_args__ = (
        UniqueConstraint("period_id", "position"),
        CheckConstraint("first_day <= last_day", name="in_order"),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    period_id: Mapped[int] = mapped_column(BigId, ForeignKey(UsagePeriod.id, ondelete="RESTRICT"))
    position: Mapped[int]
    meter_id: Mapped[int] = mapped_column(ForeignKey(Meter.id, ondelete="RESTRICT"))
    bucket_id: Mapped[int] = mapped_column(default=0)
    first_day: Mapped[date]
    last_day: Mapped[date]
    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    whole: Mapped[int] = mapped_column(BigInteger)
    millionths: Mapped[int] = mapped_column(BigInteger)
    included: Mapped[Decimal] = mapped_column(Exact)
    parts: Mapped[list[dict[str, Any]]]
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
