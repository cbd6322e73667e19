"""Subscriptions with their periods, what was billed for each, and what is asked to change."""

import enum
import secrets
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.businesses.models import Business
from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId, Percent
from billing_core.invoices.models import Invoice
from billing_core.online_payments.models import ChargeAttempt, PaymentMethodOnFile
from billing_core.plans.models import Plan, PlanVersion
from billing_core.promotions.models import PromoRedemption


class SubscriptionState(enum.StrEnum):
    """INCOMPLETE: its first charge is under way; it is shown to nobody, and gone if that fails. The others are
    published. A subscription that is paused keeps its state.
    """

    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    CANCELED = "canceled"


class InvoiceKind(enum.StrEnum):
    """What an invoice of a subscription bills: PERIOD: what is due at the beginning of one, with the usage of the one
    before. CHANGE: other terms inside a period. FINAL: what is left when it ends. OTHER: what a person adds.
    """

    PERIOD = "period"
    CHANGE = "change"
    FINAL = "final"
    OTHER = "other"


class ChargeKind(enum.StrEnum):
    PLAN = "plan"
    SEATS = "seats"
    ADD_ON = "add_on"


def _public_id() -> str:
    return f"sub_{secrets.token_hex(8)}"


_DUE = text("next_at IS NOT NULL AND held_at IS NULL")
_HELD = text("held_at IS NOT NULL")
_TO_REMIND = text("trial_ends_at IS NOT NULL AND trial_reminded_at IS NULL")
_ASKED = text("card_asked_at IS NOT NULL")
_TO_COLLECT = text("collect_at IS NOT NULL")
_CHARGING = text("state = 'charging'")
_MOVING = text("move_id IS NOT NULL AND state = 'scheduled'")
_TO_MAIL = text("mail IN ('due', 'recall_due')")


class Subscription(Base):
    """A customer on a version of a plan, in one currency, until it is cancelled.

    Its periods follow from the anchor, a local day and time of day in ``zone``, at which the period ``anchor_number``
    begins; ``period_number`` is the present one, NULL before the first. ``next_at``: the instant at which something is
    due next, NULL if nothing ever is. ``seats`` counts all, with those that the plan includes. ``tax_rate`` is percent.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("seats >= 1", name="seats"),
        CheckConstraint("(state = 'canceled') = (canceled_at IS NOT NULL)", name="canceled"),
        CheckConstraint("state <> 'trialing' OR trial_ends_at IS NOT NULL", name="trial"),
        Index("ix_subscriptions_customer_id", "customer_id", "id"),
        Index("ix_subscriptions_state", "state", "id"),
        Index("ix_subscriptions_next_at", "next_at", "id", sqlite_where=_DUE, postgresql_where=_DUE),
        Index("ix_subscriptions_held_at", "held_at", sqlite_where=_HELD, postgresql_where=_HELD),
        Index("ix_subscriptions_trial_ends_at", "trial_ends_at", sqlite_where=_TO_REMIND, postgresql_where=_TO_REMIND),
        Index("ix_subscriptions_card_asked_at", "card_asked_at", sqlite_where=_ASKED, postgresql_where=_ASKED),
        Index("ix_subscriptions_payment_method_id", "payment_method_id"),
        Index("ix_subscriptions_plan_version_id", "plan_version_id"),
        Index("uq_subscriptions_request_key", "request_key", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=_public_id)
    business_id: Mapped[int] = mapped_column(ForeignKey(Business.id, ondelete="RESTRICT"))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    seats: Mapped[int] = mapped_column(default=1)
    # How many of each add-on of its plan, by code.
    add_ons: Mapped[dict[str, Any]]
    tax_rate: Mapped[Decimal] = mapped_column(Percent, default=Decimal(0))
    state: Mapped[SubscriptionState]

    zone: Mapped[str] = mapped_column(String(64))
    anchor_day: Mapped[date]
    anchor_time: Mapped[time]
    anchor_number: Mapped[int] = mapped_column(default=0)
    period_number: Mapped[int | None]
    next_at: Mapped[datetime | None]
    trial_ends_at: Mapped[datetime | None]
    trial_reminded_at: Mapped[datetime | None]

    payment_method_id: Mapped[int | None] = mapped_column(ForeignKey(PaymentMethodOnFile.id, ondelete="RESTRICT"))
    # Since when its mails ask for a card: the next one that the customer gives by an address of ours is for it.
    card_asked_at: Mapped[datetime | None]
    redemption_id: Mapped[int | None] = mapped_column(ForeignKey(PromoRedemption.id, ondelete="RESTRICT"))
    promo_periods_used: Mapped[int] = mapped_column(default=0)

    cancel_at_period_end: Mapped[bool] = mapped_column(default=False)
    canceled_at: Mapped[datetime | None]
    cancel_reason: Mapped[str] = mapped_column(String(500), default="")
    # The token of what was shown before it was cancelled, and the refunds that were asked for, with their credits.
    cancellation: Mapped[dict[str, Any] | None]
    paused_at: Mapped[datetime | None]
    # It waits for a person, because something cannot be billed, or after a standstill of more periods than are billed
    # without asking: a yes counts for those that begin up to ``caught_up_to``.
    held_at: Mapped[datetime | None]
    hold_reason: Mapped[str] = mapped_column(String(500), default="")
    caught_up_to: Mapped[datetime | None]

    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))
    # Of a program's request with an Idempotency-Key: the hash of caller, key and body. It signs up once.
    request_key: Mapped[str | None] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class SubscriptionTerms(Base):
    """What was agreed from ``first_day`` on, until the day of the next row. What is charged in arrears is charged for
    each day by its own.
    """

    __tablename__ = "subscription_terms"

    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id, ondelete="CASCADE"), primary_key=True)
    first_day: Mapped[date] = mapped_column(primary_key=True)
    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    seats: Mapped[int]
    add_ons: Mapped[dict[str, Any]]


class SubscriptionPeriod(Base):
    """A period that has begun: from ``starts_at`` up to but not including ``ends_at``; its whole days in the billing
    zone are ``first_day`` to ``last_day``. ``paused``: nothing is billed for it.
    """

    __tablename__ = "subscription_periods"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="in_order"),
        CheckConstraint("first_day <= last_day", name="days_in_order"),
    )

    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id, ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    first_day: Mapped[date]
    last_day: Mapped[date]
    plan_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    paused: Mapped[bool] = mapped_column(default=False)


class SubscriptionInvoice(Base):
    """What was billed for a period, once for each kind and change. ``invoice_id`` NULL: it came to nothing.

    ``collect_at``: when it is charged next; NULL if it is not to be. ``attempt_id``: the charge under way, until it is
    known what came of it. ``failures`` counts charges that failed, the first one at ``failed_at``. ``gives_up_at``: the
    card is refused for ever, so that it is not charged again by then, but given up.
    """

    __tablename__ = "subscription_invoices"
    __table_args__ = (
        UniqueConstraint("subscription_id", "period_number", "kind", "change_id"),
        Index("uq_subscription_invoices_invoice_id", "invoice_id", unique=True),
        Index(
            "ix_subscription_invoices_collect_at", "collect_at", sqlite_where=_TO_COLLECT, postgresql_where=_TO_COLLECT
        ),
        Index("ix_subscription_invoices_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id, ondelete="CASCADE"))
    period_number: Mapped[int]
    kind: Mapped[InvoiceKind]
    # 0 where it is not about a change, since NULLs differ from each other; of others the invoice's own id.
    change_id: Mapped[int] = mapped_column(default=0)
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    collect_at: Mapped[datetime | None]
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey(ChargeAttempt.id, ondelete="RESTRICT"))
    failures: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None]
    gives_up_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class SubscriptionCharge(Base):
    """A line of an invoice that bills days of a period: ``net_minor`` before tax and after its discount, of which
    ``credited_minor`` was credited again. ``discount_minor`` is the promo code's, which would have taken off
    ``forfeited_minor`` more than the price.
    """

    __tablename__ = "subscription_charges"
    __table_args__ = (
        CheckConstraint("net_minor >= 0 AND credited_minor BETWEEN 0 AND net_minor", name="credited"),
        CheckConstraint("first_day <= last_day", name="days_in_order"),
        Index("ix_subscription_charges_period", "subscription_id", "period_number"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id, ondelete="CASCADE"))
    period_number: Mapped[int]
    kind: Mapped[ChargeKind]
    code: Mapped[str] = mapped_column(String(64), default="")
    quantity: Mapped[int] = mapped_column(default=1)
    first_day: Mapped[date]
    last_day: Mapped[date]
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"), index=True)
    net_minor: Mapped[int] = mapped_column(BigInteger)
    discount_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    forfeited_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    credited_minor: Mapped[int] = mapped_column(BigInteger, default=0)


class ChangeState(enum.StrEnum):
    """CHARGING: what it costs now is being charged. SCHEDULED: it is applied when its period begins."""

    CHARGING = "charging"
    SCHEDULED = "scheduled"
    APPLIED = "applied"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"


class SubscriptionChange(Base):
    """Other terms that were asked for: ``wanted`` has the plan's code and version, seats and add-ons that differ.
    ``period_number``: the period that it begins with, or inside of which it was applied. ``token`` names what was
    proposed, ``proposed``, which is done as it was shown.

    One of a move of many waits for a period that begins on the local day ``not_before`` or later. Another one that is
    scheduled begins with the next period.
    """

    __tablename__ = "subscription_changes"
    __table_args__ = (
        CheckConstraint("(move_id IS NULL) = (not_before IS NULL)", name="moves_wait_for_a_day"),
        Index("ix_subscription_changes_subscription_id", "subscription_id", "id"),
        Index("ix_subscription_changes_state", "state", "id", sqlite_where=_CHARGING, postgresql_where=_CHARGING),
        Index("uq_subscription_changes_token", "subscription_id", "token", unique=True),
        Index("uq_subscription_changes_move_id", "move_id", "subscription_id", unique=True),
        Index(
            "uq_subscription_changes_moving",
            "subscription_id",
            unique=True,
            sqlite_where=_MOVING,
            postgresql_where=_MOVING,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id, ondelete="RESTRICT"))
    state: Mapped[ChangeState]
    wanted: Mapped[dict[str, Any]]
    token: Mapped[str | None] = mapped_column(String(64))
    proposed: Mapped[dict[str, Any] | None]
    period_number: Mapped[int]
    effective_at: Mapped[datetime | None]
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[int | None]
    asked_by: Mapped[str] = mapped_column(String(200))
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(String(500), default="")
    move_id: Mapped[int | None] = mapped_column(ForeignKey("plan_moves.id"))
    not_before: Mapped[date | None]


class PlanMove(Base):
    """Subscriptions on older versions of a plan that were asked to go on with another one: each with the first period
    that begins on the local day ``first_day`` or later. ``token`` names what was rehearsed. ``told``: their customers
    are told of it by mail.
    """

    __tablename__ = "plan_moves"
    __table_args__ = (
        Index("ix_plan_moves_plan_id", "plan_id", "id"),
        Index("uq_plan_moves_token", "token", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey(Plan.id, ondelete="RESTRICT"))
    version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    first_day: Mapped[date]
    told: Mapped[bool]
    token: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[int | None]
    asked_by: Mapped[str] = mapped_column(String(200))
    withdrawn_at: Mapped[datetime | None]


class MoveMail(enum.StrEnum):
    """NONE: there is nothing to tell. DUE: the customer is to be told of the move, then TOLD. RECALL_DUE: they were,
    and are to be told that it does not come, then RECALLED.
    """

    NONE = "none"
    DUE = "due"
    TOLD = "told"
    RECALL_DUE = "recall_due"
    RECALLED = "recalled"

    def withdrawn(self, *, recalls: bool) -> "MoveMail":
        """Once the move does not come; ``recalls``: who was told is told that."""
        if self is MoveMail.DUE:
            return MoveMail.NONE
        return MoveMail.RECALL_DUE if self is MoveMail.TOLD and recalls else self


class MovedSubscription(Base):
    """What a move comes to for one subscription, as it was rehearsed: it begins with the period ``period_number``, for
    which the plan, seats and add-ons cost ``before_minor`` by the version that it leaves, and ``after_minor`` by the
    other one: at full prices, without tax and usage. What became of it its change says.
    """

    __tablename__ = "moved_subscriptions"
    __table_args__ = (
        CheckConstraint("before_minor >= 0 AND after_minor >= 0", name="not_negative"),
        Index("ix_moved_subscriptions_subscription_id", "subscription_id"),
        Index("ix_moved_subscriptions_mail", "move_id", sqlite_where=_TO_MAIL, postgresql_where=_TO_MAIL),
    )

    move_id: Mapped[int] = mapped_column(ForeignKey(PlanMove.id, ondelete="RESTRICT"), primary_key=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey(Subscription.id, ondelete="RESTRICT"), primary_key=True)
    from_version_id: Mapped[int] = mapped_column(ForeignKey(PlanVersion.id, ondelete="RESTRICT"))
    period_number: Mapped[int]
    before_minor: Mapped[int] = mapped_column(BigInteger)
    after_minor: Mapped[int] = mapped_column(BigInteger)
    mail: Mapped[MoveMail]
