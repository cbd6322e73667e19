"""What we ask of whoever collects for us, in our own words. Two answer: Stripe, and the embedded sandbox.

Every call crosses the network or may one day: never inside a transaction. Every write carries a ``key`` made of our
own ids, so that a repeat after a timeout does nothing a second time. What goes wrong is one of our errors:
``Declined`` where the answer is a clear no and nothing was done, ``UpstreamFailed`` where it is "not now" or unknown.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Protocol, Self

from billing_core.errors import UpstreamFailed
from billing_core.invoices.payment_links import CollectionWay, Mode


class Declined(UpstreamFailed):
    """The gateway understood, refused, and has done nothing: the same request would be refused again."""


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """``unit_minor`` × ``quantity`` minor units."""

    name: str
    unit_minor: int
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Charge:
    """What a customer is asked to pay: the lines add up to ``amount_minor``, which is the invoice's amount due."""

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
        """For the link's row, as JSON."""
        return asdict(self) | {"due_on": self.due_on.isoformat(), "lines": [asdict(line) for line in self.lines]}

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Self:
        lines = tuple(ChargeLine(**line) for line in stored["lines"])
        return cls(**{**stored, "due_on": date.fromisoformat(stored["due_on"]), "lines": lines})


@dataclass(frozen=True, slots=True)
class CreatedLink:
    """Where the customer pays, and what the gateway calls it; ``stripe_invoice_id`` where there is one."""

    url: str
    gateway_id: str
    stripe_invoice_id: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class GatewayRefund:
    """``refunded_minor``: what of the charge was refunded by now, this refund included."""

    refund_id: str
    intent_id: str
    charge_id: str
    refunded_minor: int
    pending: bool = False
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class PaymentDetails:
    """What only the gateway knows of a payment. ``fee_minor`` None: not known yet, or in another currency."""

    intent_id: str | None
    charge_id: str | None
    fee_minor: int | None


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """One line of the gateway's own books; ``amount_minor`` before the fee, negative where money went back.

    ``source`` is the charge, refund, dispute or payout (``ch_…``, ``re_…``, ``dp_…``, ``po_…``); ``intent_id`` the
    payment that it belongs to, where it is one. What the gateway exchanged is told as it was charged, without the fee,
    which is in another currency; ``description`` says what was booked.
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
    """How the gateway knows us. ``problems``: what keeps us from collecting, in sentences; empty: all is well."""

    mode: Mode
    account: str
    name: str
    problems: tuple[str, ...] = ()


class Gateway(Protocol):
    """Whoever collects for us."""

    @property
    def mode(self) -> Mode: ...

    def create_link(self, charge: Charge, way: CollectionWay, *, key: str) -> CreatedLink:
        """A place where this can be paid once. The same key and charge give the same place."""

    def deactivate(self, gateway_id: str, way: CollectionWay, *, key: str) -> None:
        """Nobody can pay there any more. Fine where it is so already, and where it was paid."""

    def refund(self, intent_id: str, amount_minor: int, currency: str, *, reason: str, key: str) -> GatewayRefund:
        """Pay back a part or all of a payment."""

    def details(self, gateway_key: str) -> PaymentDetails:
        """What a payment, known as ``pi_…`` or ``in_…``, cost us, and the ids that its other events come with."""

    def balance_transactions(self, start: datetime, end: datetime) -> Iterator[BalanceTransaction]:
        """The gateway's books from ``start`` until before ``end``, in any order, read in pages."""

    def check(self) -> Connection:
        """Ask who we are; says what is wrong in ``problems`` rather than raising, where the gateway answers at all."""
