"""Services and the rates of each customer's rate card. ``import_id`` is the import that made a row, if any."""

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, String, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import UnitPrice


class CostType(enum.StrEnum):
    """What one unit of the price is multiplied by, per order."""

    PER_ORDER = "per_order"
    PER_ITEM = "per_item"
    PER_SKU = "per_sku"
    PER_CASE = "per_case"
    PER_LOOSE_UNIT = "per_loose_unit"
    PER_PACKAGE = "per_package"
    PER_WEIGHT_UNIT = "per_weight_unit"
    PERCENT_OF_SERVICES = "percent_of_services"


class TierMode(enum.StrEnum):
    GRADUATED = "graduated"
    VOLUME = "volume"


class QuestionKind(enum.StrEnum):
    """Why an order could not be billed in full."""

    NO_RATE = "no_rate"
    RATE_GAP = "rate_gap"
    # No product has the SKU, or the product has no case size.
    UNKNOWN_SKU = "unknown_sku"
    NO_LINES = "no_lines"
    NO_WEIGHT = "no_weight"
    NO_PACKAGES = "no_packages"


class Service(Base):
    __tablename__ = "services"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    cost_type: Mapped[CostType]
    import_id: Mapped[int | None]


class Rate(Base):
    """One customer's price of one service from ``valid_from`` to ``valid_to``, both days included. ``unit_price`` is in
    major units (percent for percent_of_services), ``minimum`` and ``maximum`` bound one order's charge and are minor
    units. ``skus`` are SKU keys; ``tiers`` is a list of ``{"up_to": "10" | None, "unit_price": "0.5"}``; ``conditions``
    as ``rating.conditions`` describes. A rate that a report has used is never changed: a change ends it and begins
    another. Where a wrong price is corrected from its first day the wrong one is withdrawn: it rates nothing any more
    and only explains old reports.
    """

    __tablename__ = "rates"
    __table_args__ = (
        Index(
            "uq_rates_customer_id_service_id_valid_from",
            "customer_id",
            "service_id",
            "valid_from",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        Index("ix_rates_customer_id_valid", "customer_id", "valid_from", "valid_to"),
        CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        CheckConstraint("valid_to >= valid_from", name="valid_period"),
        CheckConstraint("maximum_minor >= minimum_minor", name="maximum_over_minimum"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    service_id: Mapped[int] = mapped_column(ForeignKey(Service.id, ondelete="RESTRICT"), index=True)
    unit_price: Mapped[Decimal] = mapped_column(UnitPrice)
    currency: Mapped[str] = mapped_column(String(3))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    minimum_minor: Mapped[int | None] = mapped_column(BigInteger)
    maximum_minor: Mapped[int | None] = mapped_column(BigInteger)
    skus: Mapped[list[str] | None]
    tier_mode: Mapped[TierMode | None]
    tiers: Mapped[list[dict[str, Any]] | None]
    conditions: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    import_id: Mapped[int | None]

    @hybrid_property
    def in_force(self) -> bool:
        """Not withdrawn: it prices the orders of its days."""
        return self.withdrawn_at is None

    @in_force.inplace.expression
    @classmethod
    def _in_force(cls) -> ColumnElement[bool]:
        return cls.withdrawn_at.is_(None)
