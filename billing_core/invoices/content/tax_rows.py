"""What an invoice comes to at each tax rate, as its tax rows print it: kept beside the invoice, so that lists and tax
returns add up what was printed instead of computing it again.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, cast

from sqlalchemy import BigInteger, ForeignKey, Table, delete, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing_core.database import Base
from billing_core.database.types import Percent
from billing_core.invoices.content.totals import Totals
from billing_core.invoices.models import Invoice


class InvoiceTax(Base):
    """One rate of an invoice, in minor units: the net amount taxed at it, and the tax. Together they are the invoice's
    subtotal and tax; ``verify`` proves it.
    """

    __tablename__ = "invoice_taxes"

    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"), primary_key=True)
    tax_rate: Mapped[Decimal] = mapped_column(Percent, primary_key=True)
    net_minor: Mapped[int] = mapped_column(BigInteger)
    tax_minor: Mapped[int] = mapped_column(BigInteger)


# A table, not entities: the unit of work costs more than writing the rows.
_TAXES: Final = cast("Table", InvoiceTax.__table__)
_INSERT: Final = insert(_TAXES)


def insert_many(session: Session, invoices: Sequence[tuple[int, Totals]]) -> None:
    """The rows of new invoices, by their ids."""
    if rows := [row for invoice_id, totals in invoices for row in _rows(invoice_id, totals)]:
        session.connection().execute(_INSERT, rows)


def replace(session: Session, invoice_id: int, before: Totals, after: Totals) -> None:
    """The rows of an invoice whose content has changed."""
    if before.by_rate == after.by_rate:
        return
    session.connection().execute(delete(_TAXES).where(_TAXES.c.invoice_id == invoice_id))
    insert_many(session, [(invoice_id, after)])


def _rows(invoice_id: int, totals: Totals) -> list[dict[str, Any]]:
    return [
        {"invoice_id": invoice_id, "tax_rate": row.rate, "net_minor": row.net_minor, "tax_minor": row.tax_minor}
        for row in totals.by_rate
    ]
