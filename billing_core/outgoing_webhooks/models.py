"""Webhook endpoints and the events that they can take."""

import enum
import secrets
from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.database import Base


class EventType(enum.StrEnum):
    """The events that endpoints can receive; their object is an invoice, a report, a threshold or a subscription, as
    published.
    """

    INVOICE_CREATED = "invoice.created"
    INVOICE_UPDATED = "invoice.updated"
    INVOICE_SENT = "invoice.sent"
    INVOICE_VIEWED = "invoice.viewed"
    INVOICE_OVERDUE = "invoice.overdue"
    INVOICE_PAID = "invoice.paid"
    INVOICE_PAYMENT_FAILED = "invoice.payment_failed"
    INVOICE_REFUNDED = "invoice.refunded"
    INVOICE_CANCELLED = "invoice.cancelled"
    REPORT_GENERATED = "report.generated"
    USAGE_THRESHOLD_REACHED = "usage.threshold_reached"
    SUBSCRIPTION_CREATED = "subscription.created"
    SUBSCRIPTION_UPDATED = "subscription.updated"
    SUBSCRIPTION_TRIAL_WILL_END = "subscription.trial_will_end"
    SUBSCRIPTION_RENEWED = "subscription.renewed"
    SUBSCRIPTION_PAST_DUE = "subscription.past_due"
    SUBSCRIPTION_UNPAID = "subscription.unpaid"
    SUBSCRIPTION_CANCELED = "subscription.canceled"
    PING = "ping"


def _public_id() -> str:
    return f"we_{secrets.token_hex(8)}"


class WebhookEndpoint(Base):
    """An address that receives ``events``; an empty list: all of them. No secret is stored: what its messages are
    signed with is derived from the product's own key, this row's ``public_id`` and ``secret_turn``, which a rotation
    counts up.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_active", "active"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=_public_id)
    url: Mapped[str] = mapped_column(String(1000))
    description: Mapped[str] = mapped_column(String(200), default="")
    events: Mapped[list[str]]
    secret_turn: Mapped[int] = mapped_column(default=1)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}
