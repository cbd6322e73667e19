"""The gateway interface, in our own terms. Two implement it: Stripe, and the embedded sandbox.

Every call may cross the network: never inside a transaction. Every write carries a ``key`` made of our own ids, so that
a repeat after a timeout has no second effect. Failures are our own errors: ``Declined`` for a clear no after which
nothing was done, ``UpstreamFailed`` for "not now" or an unknown outcome.
"""

import enum
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Protocol, Self

from billing_core.errors import UpstreamFailed
from billing_core.invoices.payment_links import CollectionWay, Mode


class Declined(UpstreamFailed):
    """The gateway refused and has done nothing: the same request would be refused again."""


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """``unit_minor`` × ``quantity`` minor units."""

    name: str
    unit_minor: int
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Charge:
    """What a customer is asked to pay: the lines add up to ``amount_minor``, the invoice's amount due."""

    link_id: str
    invoice_id: str
    invoice_number: str
    currency: str
    amount_minor: int
    lines: tuple[ChargeLine, ...]
    customer_email: str
    customer_name: str
    due_on: date
    description: str
    return_url: str

    def stored(self) -> dict[str, Any]:
        """As JSON, for the link's row."""
        return asdict(self) | {"due_on": self.due_on.isoformat(), "lines": [asdict(line) for line in self.lines]}

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Self:
        lines = tuple(ChargeLine(**line) for line in stored["lines"])
        return cls(**{**stored, "due_on": date.fromisoformat(stored["due_on"]), "lines": lines})


@dataclass(frozen=True, slots=True)
class CreatedLink:
    """The address to pay at, and the gateway's ids; ``stripe_invoice_id`` where there is one."""

    url: str
    gateway_id: str
    stripe_invoice_id: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class GatewayCustomer:
    """Whose card it is. ``public_id`` is ours; ``gateway_id`` None: the gateway does not know them yet."""

    public_id: str
    name: str
    email: str
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True)
class AttachedMethod:
    """A card that the gateway keeps for its customer. Where a test method was named, it made a card of its own."""

    gateway_customer_id: str
    gateway_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, slots=True)
class OffSessionCharge:
    """What is to be charged to a card on file, the same each time it is asked for. ``attempt_id`` and ``invoice_id``
    are our public ids. ``started_at``: since when it may have been asked for.
    """

    attempt_id: str
    invoice_id: str
    gateway_customer_id: str
    gateway_method_id: str
    currency: str
    amount_minor: int
    description: str
    started_at: datetime


class ChargeOutcome(enum.StrEnum):
    """AUTHENTICATION: the bank wants the customer to confirm it, so nothing was charged."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    AUTHENTICATION = "authentication"


@dataclass(frozen=True, slots=True)
class Charged:
    """What came of a charge. ``decline_code`` is the bank's, ``message`` its reason for people; ``hard``: this card is
    refused for ever. ``fee_minor`` None: not known yet, or in another currency.
    """

    outcome: ChargeOutcome
    intent_id: str | None = None
    charge_id: str | None = None
    fee_minor: int | None = None
    decline_code: str = ""
    message: str = ""
    hard: bool = False


@dataclass(frozen=True, slots=True)
class GatewayRefund:
    """``refunded_minor``: the total refunded of the charge so far, including this refund."""

    refund_id: str
    intent_id: str
    charge_id: str
    refunded_minor: int
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class PaymentDetails:
    """What only the gateway knows of a payment. ``fee_minor`` None: not known yet, or in another currency."""

    intent_id: str | None
    charge_id: str | None
    fee_minor: int | None


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """One line of the gateway's own books; ``amount_minor`` before the fee, negative for money paid back. ``source`` is
    the charge, refund, dispute or payout (``ch_…``, ``re_…``, ``dp_…``, ``po_…``); ``intent_id`` its payment, if any.
    Where the gateway exchanged currencies the amount is as charged, without the fee, which is in another currency;
    ``description`` has what was booked.
    """

    id: str
    type: str
    source: str
    intent_id: str | None
    currency: str
    amount_minor: int
    fee_minor: int
    created_at: datetime
    description: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """The gateway's view of our account. ``problems``: what prevents collecting, in sentences; empty: nothing."""

    mode: Mode
    account: str
    name: str
    problems: tuple[str, ...] = ()


class Gateway(Protocol):
    """A payment gateway."""

    @property
    def mode(self) -> Mode: ...

    def create_link(self, charge: Charge, way: CollectionWay, *, key: str) -> CreatedLink:
        """Create a link for this charge. The same key and charge give the same link."""

    def deactivate(self, gateway_id: str, way: CollectionWay, *, key: str) -> None:
        """Make the link unusable. Does nothing where it already is, or was paid."""

    def attach(self, customer: GatewayCustomer, method_id: str, *, key: str) -> AttachedMethod:
        """Keep a card (``pm_…``) for the customer. ``Declined`` where the bank or the gateway refuses it."""

    def set_up(self, customer: GatewayCustomer, return_url: str, *, key: str) -> str:
        """The address where the customer enters a card, and is redirected to ``return_url``. The event of it,
        ``setup_intent.succeeded``, carries the key as ``request_id``.
        """

    def detach(self, gateway_id: str, *, key: str) -> None:
        """Forget a card. Does nothing where it already is."""

    def charge_off_session(self, charge: OffSessionCharge, *, key: str) -> Charged:
        """Charge a card without the customer. The same key has no second effect, however much later."""

    def refund(self, intent_id: str, amount_minor: int, currency: str, *, reason: str, key: str) -> GatewayRefund:
        """Pay back a part or all of a payment."""

    def details(self, gateway_key: str) -> PaymentDetails:
        """The fee of a payment, known as ``pi_…`` or ``in_…``, and the ids that its other events carry."""

    def balance_transactions(self, start: datetime, end: datetime) -> Iterator[BalanceTransaction]:
        """The gateway's books from ``start`` up to but not including ``end``, in any order, page by page."""

    def check(self) -> Connection:
        """Query our account; failures are returned in ``problems`` where the gateway answers at all."""
