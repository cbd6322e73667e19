"""Events received from gateways, the cases they opened, payment methods on file with what was charged to them, and the
sandbox's own books.
"""

import enum
import secrets
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing_core.customers.models import Customer
from billing_core.database import Base
from billing_core.database.types import BigId
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode, PaymentLink
from billing_core.payments.models import Payment, Refund

# The outbox's channel of what the sandbox tells us, as a gateway would.
SANDBOX: Final = "sandbox"


class WebhookState(enum.StrEnum):
    """WAITING: also between two tries. IGNORED: not ours, of another mode, or of a type that changes nothing;
    ``outcome`` says which. FAILED: given up, for a person to look at.
    """

    WAITING = "waiting"
    HANDLED = "handled"
    IGNORED = "ignored"
    FAILED = "failed"


_WAITS = text("state = 'waiting'")
_EARLY = text("waits_for IS NOT NULL")
_HANDLED = text("handled_at IS NOT NULL")
_ATTACHED = text("detached_at IS NULL")
_RUNNING = text("state = 'started'")


class WebhookEvent(Base):
    """An event exactly as received, stored before it is answered; ``event_id`` is the sender's own. ``created_at`` is
    the sender's instant, ``received_at`` ours. ``not_before``: the instant of the next try. ``waits_for``: its charge,
    where no payment with that charge was known.
    """

    __tablename__ = "webhook_events"
    __table_args__ = (
        # Of waiting events alone: handled ones leave it, so that it stays small.
        Index("ix_webhook_events_due", "not_before", "id", sqlite_where=_WAITS, postgresql_where=_WAITS),
        Index("ix_webhook_events_state", "state", "id"),
        Index("ix_webhook_events_type", "type", "id"),
        Index("ix_webhook_events_invoice_id", "invoice_id"),
        Index("ix_webhook_events_waits_for", "waits_for", sqlite_where=_EARLY, postgresql_where=_EARLY),
        Index("ix_webhook_events_handled_at", "handled_at", sqlite_where=_HANDLED, postgresql_where=_HANDLED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[str] = mapped_column(String(255), unique=True)
    type: Mapped[str] = mapped_column(String(100))
    livemode: Mapped[bool]
    api_version: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime]
    received_at: Mapped[datetime]
    payload: Mapped[str] = mapped_column(Text)
    state: Mapped[WebhookState] = mapped_column(default=WebhookState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime]
    last_error: Mapped[str] = mapped_column(String(500), default="")
    outcome: Mapped[str] = mapped_column(String(200), default="")
    handled_at: Mapped[datetime | None]
    waits_for: Mapped[str | None] = mapped_column(String(255))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))


class WebhookRefusal(Base):
    """The number of requests refused at the webhook address per day (UTC) and reason; nothing else is stored."""

    __tablename__ = "webhook_refusals"

    day: Mapped[date] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(32), primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)


class CaseKind(enum.StrEnum):
    """What a person has to settle."""

    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    NOTHING_DUE = "nothing_due"
    REFUND_UNMATCHED = "refund_unmatched"
    REFUND_FAILED = "refund_failed"
    DISPUTE_LOST = "dispute_lost"
    MARKED_PAID = "marked_paid"


class PaymentCase(Base):
    """A question about money that the product must not decide by itself. ``key`` names its cause: one case each."""

    __tablename__ = "payment_cases"
    __table_args__ = (
        Index("ix_payment_cases_open", "settled_at", "id"),
        Index("ix_payment_cases_invoice_id", "invoice_id"),
        Index("ix_payment_cases_payment_id", "payment_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(300), unique=True)
    kind: Mapped[CaseKind]
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey(Payment.id, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    expected_minor: Mapped[int | None] = mapped_column(BigInteger)
    said: Mapped[str] = mapped_column(String(500))
    opened_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str] = mapped_column(String(200), default="")
    settlement: Mapped[str] = mapped_column(String(500), default="")


class DisputeState(enum.StrEnum):
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Dispute(Base):
    """A payment disputed by the customer at their bank. ``told_at``: the instant of the newest event that closed it, or
    opened it. ``fee_minor``: what the gateway keeps for it, as posted.
    """

    __tablename__ = "disputes"
    __table_args__ = (Index("ix_disputes_payment_id", "payment_id"), Index("ix_disputes_state", "state", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_id: Mapped[str] = mapped_column(String(255), unique=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey(Payment.id, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    reason: Mapped[str] = mapped_column(String(100))
    state: Mapped[DisputeState]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    told_at: Mapped[datetime]


class RefundRequestState(enum.StrEnum):
    """ASKED: the gateway's answer is not recorded yet. REFUSED: it declined, and ``last_error`` says why."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"


class RefundRequest(Base):
    """A user's request to refund through the gateway; its ``public_id`` is the key of the request. ``parts``: what it
    credits of the invoice, by line type and tax rate, in minor units; None: the same share of all.
    """

    __tablename__ = "refund_requests"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        Index("ix_refund_requests_payment_id", "payment_id", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: f"rfq_{secrets.token_hex(8)}")
    payment_id: Mapped[int] = mapped_column(ForeignKey(Payment.id, ondelete="RESTRICT"))
    invoice_id: Mapped[int | None] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    refund_id: Mapped[int | None] = mapped_column(ForeignKey(Refund.id, ondelete="RESTRICT"))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(500))
    parts: Mapped[list[dict[str, Any]] | None]
    state: Mapped[RefundRequestState] = mapped_column(default=RefundRequestState.ASKED)
    last_error: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))


class PaymentMethodOnFile(Base):
    """A card that the gateway keeps for a customer, to be charged without them. Never its number: only what tells it
    from others. ``expires_on``: its last day. ``gateway_id`` (``pm_…``) is kept for the gateway's
    ``gateway_customer_id``.
    """

    __tablename__ = "payment_methods"
    __table_args__ = (
        CheckConstraint("exp_month BETWEEN 1 AND 12", name="exp_month"),
        Index(
            "uq_payment_methods_attached",
            *("mode", "gateway_id"),
            unique=True,
            sqlite_where=_ATTACHED,
            postgresql_where=_ATTACHED,
        ),
        Index("ix_payment_methods_customer_id", "customer_id", "id"),
        Index("ix_payment_methods_expires_on", "expires_on", "id", sqlite_where=_ATTACHED, postgresql_where=_ATTACHED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: f"card_{secrets.token_hex(8)}")
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    mode: Mapped[Mode]
    gateway_customer_id: Mapped[str] = mapped_column(String(255))
    gateway_id: Mapped[str] = mapped_column(String(255))
    brand: Mapped[str] = mapped_column(String(40))
    last4: Mapped[str] = mapped_column(String(4))
    exp_month: Mapped[int]
    exp_year: Mapped[int]
    expires_on: Mapped[date]
    # So many days before that the customer was last told.
    expiry_told: Mapped[int | None]
    attached_at: Mapped[datetime]
    attached_by_id: Mapped[int | None]
    attached_by: Mapped[str] = mapped_column(String(200))
    detached_at: Mapped[datetime | None]
    detached_by: Mapped[str] = mapped_column(String(200), default="")


class CardRequest(Base):
    """A customer was asked to put a card on file: whoever has the ``token`` may, once. ``method_id`` is the answer."""

    __tablename__ = "card_requests"
    __table_args__ = (
        CheckConstraint("(method_id IS NULL) = (answered_at IS NULL)", name="answered"),
        Index("ix_card_requests_customer_id", "customer_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: f"crq_{secrets.token_hex(8)}")
    token: Mapped[str] = mapped_column(String(64), unique=True, default=lambda: secrets.token_urlsafe(24))
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id, ondelete="RESTRICT"))
    method_id: Mapped[int | None] = mapped_column(ForeignKey(PaymentMethodOnFile.id, ondelete="RESTRICT"))
    expires_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))


class AttemptState(enum.StrEnum):
    """STARTED: the outcome is not recorded yet, and may be unknown. AUTHENTICATION: the bank wants the customer."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    AUTHENTICATION = "authentication"


class ChargeAttempt(Base):
    """One try to charge what is due on an invoice to a card on file, written before the charge; ``public_id`` is the
    request's key. ``hard``: the bank will refuse this card for ever. ``failure``: why not, for people.
    """

    __tablename__ = "charge_attempts"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("(state = 'succeeded') = (payment_id IS NOT NULL)", name="payment"),
        CheckConstraint("(state = 'started') = (finished_at IS NULL)", name="finished"),
        Index(
            "uq_charge_attempts_running", "invoice_id", unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING
        ),
        Index("ix_charge_attempts_invoice_id", "invoice_id", "id"),
        Index("ix_charge_attempts_method_id", "method_id"),
        Index("ix_charge_attempts_payment_id", "payment_id"),
        Index("ix_charge_attempts_started_at", "started_at", "id", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        Index("ix_charge_attempts_finished_at", "finished_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: f"att_{secrets.token_hex(8)}")
    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="RESTRICT"))
    method_id: Mapped[int] = mapped_column(ForeignKey(PaymentMethodOnFile.id, ondelete="RESTRICT"))
    state: Mapped[AttemptState] = mapped_column(default=AttemptState.STARTED)
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    description: Mapped[str] = mapped_column(String(300))
    intent_id: Mapped[str | None] = mapped_column(String(255))
    payment_id: Mapped[int | None] = mapped_column(ForeignKey(Payment.id, ondelete="RESTRICT"))
    decline_code: Mapped[str] = mapped_column(String(64), default="")
    failure: Mapped[str] = mapped_column(String(500), default="")
    hard: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))


class SandboxCharge(Base):
    """The sandbox's own books: what was "paid" there, by a link or by an attempt to charge a card on file. No money has
    moved. ``intent_id`` is the id in its events.
    """

    __tablename__ = "sandbox_charges"
    __table_args__ = (
        UniqueConstraint("charge_id"),
        CheckConstraint("refunded_minor BETWEEN 0 AND amount_minor", name="refunded"),
        Index("ix_sandbox_charges_created_at", "created_at", "id"),
        Index("ix_sandbox_charges_link_id", "link_id"),
        # The same request again has no second effect.
        Index("uq_sandbox_charges_attempt_id", "attempt_id", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    intent_id: Mapped[str] = mapped_column(String(255), unique=True)
    charge_id: Mapped[str] = mapped_column(String(255))
    link_id: Mapped[int | None] = mapped_column(ForeignKey(PaymentLink.id, ondelete="RESTRICT"))
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey(ChargeAttempt.id))
    succeeded: Mapped[bool]
    failure: Mapped[str] = mapped_column(String(200), default="")
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    refunded_minor: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]


class SandboxRefund(Base):
    """A refund in the sandbox's books; ``key`` is the request's, so that a repeat makes no second one."""

    __tablename__ = "sandbox_refunds"
    __table_args__ = (Index("ix_sandbox_refunds_created_at", "created_at", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    refund_id: Mapped[str] = mapped_column(String(255), unique=True)
    key: Mapped[str] = mapped_column(String(120), unique=True)
    charge_id: Mapped[int] = mapped_column(ForeignKey(SandboxCharge.id, ondelete="RESTRICT"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class GatewayLine(Base):
    """One line of a gateway's own books as read there (``gateway.BalanceTransaction``). It never changes. Stored,
    because reading 100,000 of them takes a gateway minutes, too long for paging through them.
    """

    __tablename__ = "gateway_lines"
    __table_args__ = (
        UniqueConstraint("mode", "line_id"),
        Index("ix_gateway_lines_created_at", "mode", "created_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    mode: Mapped[Mode]
    line_id: Mapped[str] = mapped_column(String(255))
    type: Mapped[str] = mapped_column(String(100))
    source: Mapped[str] = mapped_column(String(255))
    intent_id: Mapped[str | None] = mapped_column(String(255))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    description: Mapped[str] = mapped_column(String(500))


class GatewayReading(Base):
    """A period of a gateway's books was read completely, as of ``read_at``."""

    __tablename__ = "gateway_readings"
    __table_args__ = (Index("ix_gateway_readings_mode", "mode", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    mode: Mapped[Mode]
    first_on: Mapped[date]
    last_on: Mapped[date]
    lines: Mapped[int]
    read_at: Mapped[datetime]
    read_by: Mapped[str] = mapped_column(String(200))
