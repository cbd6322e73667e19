"""Plans in versions, and which customer is on which version from which day."""

import enum
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import UsagePrice


class PlanInterval(enum.StrEnum):
    """How often a plan's price is due."""

    MONTH = "month"
    YEAR = "year"


class Plan(Base):
    """What stays the same in all of its versions. ``code`` is the key by which imports know it."""

    __tablename__ = "plans"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class PlanVersion(Base):
    """Terms that never change: other terms are the next ``number``. ``price_minor`` is due each ``interval``, in minor
    units of ``currency``. ``included_calls`` come with each period of usage, whatever the interval; one call beyond
    them costs ``price_per_call``, in major units.
    """

    __tablename__ = "plan_versions"
    __table_args__ = (
        UniqueConstraint("plan_id", "number"),
        CheckConstraint("price_minor >= 0", name="price_not_negative"),
        CheckConstraint("included_calls >= 0", name="included_not_negative"),
        CheckConstraint("price_per_call >= 0", name="price_per_call_not_negative"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey(Plan.id, ondelete="RESTRICT"))
    number: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    price_minor: Mapped[int] = mapped_column(BigInteger)
    interval: Mapped[PlanInterval]
    included_calls: Mapped[int] = mapped_column(BigInteger)
    price_per_call: Mapped[Decimal] = mapped_column(UsagePrice)
    created_at: Mapped[datetime]


class CustomerPlan(Base):
    """From ``valid_from`` to the day before the customer's next row, the customer is on this version."""

    __tablename__ = "customer_plans"
    __table_args__ = (UniqueConstraint("customer_id", "valid_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"), index=True)
    valid_from: Mapped[date]
    created_at: Mapped[datetime]
