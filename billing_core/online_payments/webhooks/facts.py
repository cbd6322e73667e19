"""What a gateway's event can mean, in our own terms. Pure."""

from dataclasses import dataclass
from datetime import datetime

from billing_core.online_payments.models import DisputeState


@dataclass(frozen=True, slots=True)
class Refs:
    """Our objects that an event names: by the public ids that we passed on, or by the gateway's own ids."""

    link_id: str = ""
    invoice_id: str = ""
    gateway_link_id: str = ""
    stripe_invoice_id: str = ""
    attempt_id: str = ""

    @property
    def given(self) -> bool:
        """Whether it carries ids that only we can have put there."""
        return bool(self.link_id or self.invoice_id or self.attempt_id)


@dataclass(frozen=True, slots=True)
class Paid:
    """Money came in at ``at``. ``key`` is ``pi_…``, or ``in_…`` where an invoice reports the payment. ``sent``: that
    invoice was sent for payment, and is not a receipt for a payment by link.
    """

    refs: Refs
    at: datetime
    key: str
    currency: str
    amount_minor: int
    intent_id: str | None = None
    charge_id: str | None = None
    sent: bool = False

    @property
    def by_invoice(self) -> bool:
        return self.key.startswith("in_")


@dataclass(frozen=True, slots=True)
class MarkedPaid:
    """Somebody has marked the gateway's invoice as paid: its money, this amount, came some other way, or never. ``key``
    is ``in_…``.
    """

    refs: Refs
    at: datetime
    key: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt to pay failed. ``code`` is the error's, ``decline_code`` the bank's own. ``used_up``: its link accepts
    no other. ``by_invoice``: the gateway says that its invoice was not paid, not only that an attempt failed.
    """

    refs: Refs
    at: datetime
    reason: str
    used_up: bool = False
    code: str = ""
    decline_code: str = ""
    intent_id: str | None = None
    by_invoice: bool = False


@dataclass(frozen=True, slots=True)
class Refunded:
    """``refunded_minor``: the total refunded of a charge so far. ``paid``: the payment that the charge proves."""

    refs: Refs
    at: datetime
    intent_id: str | None
    charge_id: str
    refunded_minor: int
    paid: Paid | None


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """A refund did not reach the payer: the gateway has the money again."""

    at: datetime
    refund_id: str
    intent_id: str | None
    charge_id: str
    currency: str
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True)
class Disputed:
    """``fee_minor``: what the gateway keeps for it in all; None: the event does not say so in the charge's currency."""

    gateway_id: str
    at: datetime
    opened_at: datetime
    intent_id: str | None
    charge_id: str
    currency: str
    amount_minor: int
    reason: str
    state: DisputeState
    fee_minor: int | None = None


@dataclass(frozen=True, slots=True)
class CardEntered:
    """A customer has entered a card. ``request_id``: of our request for one; ``customer_id`` the gateway's own."""

    request_id: str
    method_id: str
    customer_id: str | None


@dataclass(frozen=True, slots=True)
class Noted:
    """Worth recording, but changes no invoice. ``pending_at``: since then a payment is on its way."""

    refs: Refs
    outcome: str
    pending_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unused:
    """Nothing that we act upon; ``why`` tells people the reason."""

    why: str


Fact = Paid | Failed | MarkedPaid | Refunded | RefundFailed | Disputed | CardEntered | Noted | Unused
