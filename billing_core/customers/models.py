"""Customers: whom we bill."""

import secrets
import uuid
from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, true
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, validates

from billing_core.businesses.models import Business
from billing_core.customers.same import LONGEST_KEY, email_key
from billing_core.database import Base
from billing_core.database.types import ReadingOrder, order_of
from billing_core.languages.available import nearest, regional
from billing_core.reading_order import reading_order
from billing_core.recipients import LONGEST_LIST


def new_public_id() -> str:
    """An id for the outside, such as ``cus_9f86d081884c7d65``."""
    return f"cus_{secrets.token_hex(8)}"


def new_uuid() -> str:
    return str(uuid.uuid4())


def _key_of_email(context: DefaultExecutionContext) -> str:
    given: dict[str, object] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return email_key(str(given.get("email") or ""))


class Customer(Base):
    """``ref`` is the key by which imports and the customer's own systems know it, trimmed. ``country`` is an ISO 3166
    two-letter code or empty; ``currency`` is the one in which it is billed. Empty ``payment_terms`` are the business's.
    Where it is not ``active``, nothing new is billed to it. Until ``held_until``, that day included, it is not
    reminded. ``time_zone`` is the IANA zone in whose days its usage is billed; ``zero_tax_reason`` is why its invoices
    have tax of 0 %. Both are the business's where they are empty. ``format_region`` is the country whose way of writing
    numbers and dates its documents have; empty: its own. ``email_key`` is what its address has in common with other
    ways of writing it, by which programs find it, and ``name_order`` and
    ``ref_order`` where its name and ref stand in lists; those in
    ``further_emails``, ``cc_emails`` and ``bcc_emails``, lists with commas, get its mails too. One with
    ``merged_into_id`` is that other customer now. ``import_id`` is the import that made it, if any.
    """

    __tablename__ = "customers"
    __table_args__ = (
        Index("ix_customers_name_order", "name_order", "id"),
        Index("ix_customers_ref_order", "ref_order", "id"),
        Index("ix_customers_email_key", "email_key", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=new_public_id)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"), index=True)
    ref: Mapped[str] = mapped_column(String(64), unique=True)
    ref_order: Mapped[str] = mapped_column(ReadingOrder, default=order_of("ref"), server_default="")
    name: Mapped[str] = mapped_column(String(200))
    name_order: Mapped[str] = mapped_column(ReadingOrder, default=order_of("name"), server_default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    email_key: Mapped[str] = mapped_column(String(LONGEST_KEY), default=_key_of_email, server_default="")
    further_emails: Mapped[str] = mapped_column(String(LONGEST_LIST), default="", server_default="")
    cc_emails: Mapped[str] = mapped_column(String(LONGEST_LIST), default="", server_default="")
    bcc_emails: Mapped[str] = mapped_column(String(LONGEST_LIST), default="", server_default="")
    phone: Mapped[str] = mapped_column(String(64), default="")
    address: Mapped[str] = mapped_column(String(500), default="")
    city: Mapped[str] = mapped_column(String(120), default="")
    state: Mapped[str] = mapped_column(String(120), default="")
    postal_code: Mapped[str] = mapped_column(String(32), default="")
    country: Mapped[str] = mapped_column(String(2), default="")
    currency: Mapped[str] = mapped_column(String(3))
    tax_id: Mapped[str] = mapped_column(String(64), default="")
    zero_tax_reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    language: Mapped[str] = mapped_column(String(8), default="en", server_default="en")
    payment_terms: Mapped[str] = mapped_column(String(200), default="", server_default="")
    time_zone: Mapped[str] = mapped_column(String(64), default="", server_default="")
    format_region: Mapped[str] = mapped_column(String(2), default="", server_default="")
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"), index=True)
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    held_until: Mapped[date | None]
    hold_reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_at: Mapped[datetime]
    import_id: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    @validates("name", "ref")
    def _keep_order(self, column: str, text: str) -> str:
        setattr(self, f"{column}_order", reading_order(text))
        return text

    @validates("email")
    def _keep_key(self, _name: str, email: str) -> str:
        self.email_key = email_key(email)
        return email

    @property
    def locale(self) -> str:
        """Its language as its region writes figures and dates, such as ``de-CH``: how everything for it is written."""
        return regional(nearest(self.language), self.format_region or self.country)
