"""Which services of which orders stand on an invoice, each once: the database refuses a second time by its key. And
which SKUs those orders named.
"""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.invoices.models import Invoice, InvoicedReport
from billing_core.reports.models import CLUSTERED


class BilledOrder(Base):
    """An order's service on an invoice. ``again`` is 0 for the first one; whoever bills it once more says why
    (``InvoicedReport.again_reason``), and the row has the id of that invoice there.
    """

    __tablename__ = "billed_orders"
    __table_args__ = (
        ForeignKeyConstraint(
            ["invoice_id", "report_id"], [InvoicedReport.invoice_id, InvoicedReport.report_id], ondelete="RESTRICT"
        ),
        Index("ix_billed_orders_invoice_id", "invoice_id", "report_id"),
        Index(
            "ix_billed_orders_again",
            "again",
            sqlite_where=text("again <> 0"),
            postgresql_where=text("again <> 0"),
        ),
        CheckConstraint("again IN (0, invoice_id)", name="again"),
        CLUSTERED,
    )

    order_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    service_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    again: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    invoice_id: Mapped[int]
    report_id: Mapped[int]


class BilledSkus(Base):
    """What searches find an invoice by: each SKU of the orders that it bills, as they were then, also once it is
    cancelled. ``words`` are folded, with U+001F between them and twice after the last.
    """

    __tablename__ = "billed_skus"

    invoice_id: Mapped[int] = mapped_column(
        ForeignKey(Invoice.id, ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    words: Mapped[str] = mapped_column(Text)
