"""How far each series of numbers is drawn."""

import enum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.businesses.models import Business
from billing_core.database import Base


class SeriesKind(enum.StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class NumberSeries(Base):
    """The last number drawn in one series of a business. ``series`` is the format with its year filled in and
    ``{seq}`` left, without its zeros: ``INV-2026-{seq}``."""

    __tablename__ = "number_series"

    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"), primary_key=True)
    kind: Mapped[SeriesKind] = mapped_column(primary_key=True)
    series: Mapped[str] = mapped_column(String(64), primary_key=True)
    last: Mapped[int]
