"""Our own legal entities: who issues the documents, in which currency, time zone and number series."""

import secrets
from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, false, true
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base
from billing_core.dates import country_of
from billing_core.pdf_layout.paper_size import PaperSize, usual_in


def _public_id() -> str:
    return f"biz_{secrets.token_hex(8)}"


class Business(Base):
    """``set_up_at`` is empty until somebody has given the business its name, currency and time zone. ``payment_terms``
    such as "Net 30" decide when invoices are due; the formats such as ``INV-{year}-{seq:03}`` how they are numbered.
    ``zero_tax_reason`` is why its invoices have 0 % tax, where a customer has no reason of its own. ``country`` is an
    ISO 3166 two-letter code, or empty: that of its time zone. ``register_number`` is its entry in a company register.
    ``reminds`` is off until somebody has looked at the schedule of reminders; ``uses_credit``: before a reminder, what
    credit the customer has is used.
    """

    __tablename__ = "businesses"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=_public_id)
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(1000), default="")
    tax_id: Mapped[str] = mapped_column(String(64), default="")
    register_number: Mapped[str] = mapped_column(String(120), default="", server_default="")
    country: Mapped[str] = mapped_column(String(2), default="", server_default="")
    currency: Mapped[str] = mapped_column(String(3))
    time_zone: Mapped[str] = mapped_column(String(64))
    email: Mapped[str] = mapped_column(String(254), default="", server_default="")
    phone: Mapped[str] = mapped_column(String(64), default="", server_default="")
    bank_details: Mapped[str] = mapped_column(String(1000), default="", server_default="")
    payment_terms: Mapped[str] = mapped_column(String(200), default="Net 30", server_default="Net 30")
    invoice_format: Mapped[str] = mapped_column(
        String(64), default="INV-{year}-{seq:03}", server_default="INV-{year}-{seq:03}"
    )
    credit_note_format: Mapped[str] = mapped_column(
        String(64), default="CN-{year}-{seq:03}", server_default="CN-{year}-{seq:03}"
    )
    zero_tax_reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    invoice_footer: Mapped[str] = mapped_column(String(500), default="", server_default="")
    # How Stripe collects: ``invoices.payment_links.CollectionWay``.
    collects_by: Mapped[str] = mapped_column(String(32), default="payment_link", server_default="payment_link")
    # What happens to usage that changes a billed period (``metering.models.LateUsage``); if it is waived, why.
    late_usage: Mapped[str] = mapped_column(String(32), default="next_invoice", server_default="next_invoice")
    late_usage_reason: Mapped[str] = mapped_column(String(500), default="", server_default="")
    # ``pdf_layout.paper_size.PaperSize``, or empty: the usual one in the country of its time zone.
    paper: Mapped[str] = mapped_column(String(8), default="", server_default="")
    reminds: Mapped[bool] = mapped_column(default=False, server_default=false())
    uses_credit: Mapped[bool] = mapped_column(default=False, server_default=false())
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    set_up_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}

    @property
    def seat(self) -> str:
        """The country by whose law it writes invoices; empty where nothing says which."""
        return self.country or country_of(self.time_zone)

    @property
    def paper_size(self) -> PaperSize:
        """The paper of its documents."""
        return PaperSize(self.paper) if self.paper else usual_in(self.time_zone)


class BusinessLogo(Base):
    """The picture on a business's documents: PNG or JPEG, as it was uploaded."""

    __tablename__ = "business_logos"

    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(32))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[str] = mapped_column(String(64))
