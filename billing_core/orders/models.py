"""What customers had us do: products, orders and their lines. ``import_id`` is the import that made a row, if any."""

import enum
from datetime import date
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId, Quantity


class OrderStatus(enum.StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    PROCESSING = "processing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


NOT_BILLED = (OrderStatus.DRAFT, OrderStatus.CANCELLED)


def sku_key(sku: str) -> str:
    """SKUs compare trimmed and without regard to case."""
    return sku.strip().upper()


class Product(Base):
    """A customer's own article. ``case_size``: how many units a case holds; 0 where units are not packed in cases, and
    None where nobody knows.
    """

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("customer_id", "sku_key"),
        CheckConstraint("case_size >= 0", name="case_size_not_negative"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    sku: Mapped[str] = mapped_column(String(100))
    sku_key: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(300), default="")
    case_size: Mapped[Decimal | None] = mapped_column(Quantity)
    import_id: Mapped[int | None]


class Order(Base):
    """``number`` is unique over all customers. ``order_date`` is a day where the business is. ``weight`` is in the unit
    that the customer's prices are in; None means that nobody told us.
    """

    __tablename__ = "orders"
    __table_args__ = (
        # Covers what the stored totals of ``reports.coverage`` are counted from.
        Index("ix_orders_customer_id_order_date", "customer_id", "order_date", "id", "status"),
        Index("ix_orders_order_date", "order_date"),
        # Drafts are few, and queried on their own: no page scans a million orders for them.
        Index(
            "ix_orders_drafts",
            "order_date",
            sqlite_where=text("status = 'draft'"),
            postgresql_where=text("status = 'draft'"),
        ),
        CheckConstraint("weight >= 0", name="weight_not_negative"),
        CheckConstraint("packages >= 0", name="packages_not_negative"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    number: Mapped[str] = mapped_column(String(64), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    order_date: Mapped[date]
    status: Mapped[OrderStatus]
    reference_number: Mapped[str] = mapped_column(String(120), default="")
    ship_to_name: Mapped[str] = mapped_column(String(200), default="")
    ship_to_address: Mapped[str] = mapped_column(String(500), default="")
    ship_to_city: Mapped[str] = mapped_column(String(120), default="")
    ship_to_state: Mapped[str] = mapped_column(String(120), default="")
    ship_to_postal_code: Mapped[str] = mapped_column(String(32), default="")
    ship_to_country: Mapped[str] = mapped_column(String(2), default="")
    carrier: Mapped[str] = mapped_column(String(120), default="")
    weight: Mapped[Decimal | None] = mapped_column(Quantity)
    packages: Mapped[int | None] = mapped_column(BigInteger)
    notes: Mapped[str] = mapped_column(String(5000), default="")
    import_id: Mapped[int | None]

    @hybrid_property
    def billable(self) -> bool:
        """Neither draft nor cancelled: the orders that count."""
        return self.status not in NOT_BILLED

    @billable.inplace.expression
    @classmethod
    def _billable(cls) -> ColumnElement[bool]:
        return cls.status.not_in(NOT_BILLED)


class OrderLine(Base):
    """``position`` counts the lines of one order that name the same SKU, from 1. So a file that names a SKU twice keeps
    both lines, and the same file again changes nothing.
    """

    __tablename__ = "order_lines"
    __table_args__ = (
        UniqueConstraint("order_id", "sku_key", "position"),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(BigId, ForeignKey(Order.id, ondelete="RESTRICT"))
    sku: Mapped[str] = mapped_column(String(100))
    sku_key: Mapped[str] = mapped_column(String(100))
    position: Mapped[int] = mapped_column(default=1)
    quantity: Mapped[Decimal] = mapped_column(Quantity)
    import_id: Mapped[int | None]
