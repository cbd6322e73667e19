"""A business's own mail texts, its schedule of reminders, and the reminders that were due."""

import enum
from datetime import date, datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.businesses.models import Business
from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.invoices.models import Invoice


class MailKind(enum.StrEnum):
    INVOICE = "invoice"
    REMINDER_BEFORE = "reminder_before"
    REMINDER_DUE = "reminder_due"
    REMINDER_LATE = "reminder_late"
    CREDIT_NOTE = "credit_note"
    STATEMENT = "statement"
    USAGE_ALERT = "usage_alert"
    TRIAL_ENDING = "trial_ending"
    CHARGE_FAILED = "charge_failed"
    CARD_EXPIRING = "card_expiring"
    CARD_REQUEST = "card_request"
    SUBSCRIPTION_ENDED = "subscription_ended"
    PLAN_MOVE = "plan_move"
    PLAN_MOVE_WITHDRAWN = "plan_move_withdrawn"


class MailText(Base):
    """A business's own text in place of ours, in one language. Both parts are Jinja templates in a sandbox."""

    __tablename__ = "mail_texts"
    __table_args__ = (UniqueConstraint("business_id", "kind", "language"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"))
    kind: Mapped[MailKind]
    language: Mapped[str] = mapped_column(String(8))
    subject: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class ReminderStep(Base):
    """A business reminds ``days_after_due`` days after the due date; negative: before it."""

    __tablename__ = "reminder_steps"
    __table_args__ = (
        UniqueConstraint("business_id", "days_after_due"),
        CheckConstraint("days_after_due BETWEEN -60 AND 365", name="days"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"))
    days_after_due: Mapped[int]
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class ReminderOutcome(enum.StrEnum):
    """SKIPPED: a later step of the same invoice was due in the same run, and replaces it."""

    SENT = "sent"
    SKIPPED = "skipped"


class Reminder(Base):
    """One invoice's reminder of one step, once for each due date: unique, so nobody is reminded twice. ``due_on`` is
    the day from which the step was counted, the invoice's ``late_after`` then.
    """

    __tablename__ = "reminders"
    __table_args__ = (
        UniqueConstraint("invoice_id", "days_after_due", "due_on"),
        Index("ix_reminders_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    days_after_due: Mapped[int]
    due_on: Mapped[date]
    outcome: Mapped[ReminderOutcome]
    message_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("outbox_messages.id", ondelete="RESTRICT"))
    created_at: Mapped[datetime]
