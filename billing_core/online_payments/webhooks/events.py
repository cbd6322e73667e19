"""The meaning of a gateway event, in our own terms. Pure: no lookups, no decisions.

The shapes are those of Stripe's API; the sandbox sends the same. Several events report one payment, in any order, so
each is read for as much as it contains.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from billing_core.errors import Invalid
from billing_core.money import currency_code
from billing_core.online_payments import declines
from billing_core.online_payments.models import DisputeState
from billing_core.online_payments.stripe.amounts import from_stripe

Object = Mapping[str, Any]

# The gateway's own invoice was not paid.
INVOICE_FAILED: Final = "invoice.payment_failed"


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


Fact = Paid | Failed | Refunded | RefundFailed | Disputed | CardEntered | Noted | Unused


def parsed(payload: str) -> Object:
    """The event in a stored payload, which was checked before it was stored."""
    event: Object = json.loads(payload)
    return event


def fact_of(event: Object) -> Fact:
    """The event's meaning. Invalid where it does not have the shape of its type."""
    read = _READERS.get(str(event["type"]))
    if read is None:
        return Unused("Nothing is done with events of this type")
    try:
        return read(event["data"]["object"], instant(event["created"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(
            f"The event does not have the shape of a {event['type']}: {type(error).__name__} {error}"
        ) from error


def instant(seconds: int) -> datetime:
    """The gateway counts seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def _intent_succeeded(intent: Object, at: datetime) -> Fact:
    return Paid(
        refs=_refs(intent),
        at=at,
        key=intent["id"],
        **_amount(intent["amount_received"], intent["currency"]),
        intent_id=intent["id"],
        charge_id=_id(intent.get("latest_charge")),
    )


def _intent_failed(intent: Object, at: datetime) -> Fact:
    error = intent.get("last_payment_error") or {}
    return Failed(
        _refs(intent),
        at,
        _reason(error),
        code=_text(error.get("code")),
        decline_code=_text(error.get("decline_code")),
        intent_id=_id(intent),
    )


def _session_paid(session: Object, at: datetime) -> Fact:
    refs = _refs(session)
    if session["payment_status"] != "paid":
        return Noted(refs, "The customer has finished, and the money is still on its way", pending_at=at)
    intent_id = _id(session.get("payment_intent"))
    if intent_id is None:
        return Unused("Nothing was charged")
    return Paid(
        refs=refs,
        at=at,
        key=intent_id,
        **_amount(session["amount_total"], session["currency"]),
        intent_id=intent_id,
    )


def _session_failed(session: Object, at: datetime) -> Fact:
    # The session was completed days ago, and each link allows only one.
    return Failed(_refs(session), at, "The customer's bank did not pay", used_up=True)


def _session_expired(session: Object, _at: datetime) -> Fact:
    return Noted(_refs(session), "The customer has begun to pay and not finished")


def _invoice_paid(invoice: Object, at: datetime) -> Fact:
    # Payments made elsewhere are entered at the gateway by people, who enter them here too.
    paid = invoice["amount_paid"] - (invoice.get("amount_paid_off_stripe") or 0)
    if paid <= 0:
        return Noted(_refs(invoice), "It was marked as paid, and no money came in through the gateway")
    return Paid(
        refs=_refs(invoice),
        at=at,
        key=invoice["id"],
        **_amount(paid, invoice["currency"]),
        intent_id=_intent_of(invoice),
        sent=invoice.get("collection_method") == "send_invoice",
    )


def _invoice_failed(invoice: Object, at: datetime) -> Fact:
    return Failed(_refs(invoice), at, _reason(invoice.get("last_payment_error")), by_invoice=True)


def _card_entered(setup: Object, _at: datetime) -> Fact:
    request_id = _text((setup.get("metadata") or {}).get("request_id"))
    method_id = _id(setup["payment_method"])
    if not request_id or method_id is None:
        return Unused("Not ours: no card was asked for")
    return CardEntered(request_id, method_id, _id(setup.get("customer")))


def _charge(charge: Object, _at: datetime) -> Fact:
    return _paid_by(charge) or Unused("Told by the payment's other events")


def _charge_refunded(charge: Object, at: datetime) -> Fact:
    refunded = _amount(charge["amount_refunded"], charge["currency"])
    return Refunded(
        refs=_refs(charge),
        at=at,
        intent_id=_id(charge.get("payment_intent")),
        charge_id=charge["id"],
        refunded_minor=refunded["amount_minor"],
        paid=_paid_by(charge),
    )


def _refund_failed(refund: Object, at: datetime) -> Fact:
    canceled = refund.get("status") == "canceled"
    why = "it was canceled" if canceled else declines.one_line(refund.get("failure_reason") or "")
    return RefundFailed(
        at=at,
        refund_id=refund["id"],
        intent_id=_id(refund.get("payment_intent")),
        charge_id=_id(refund.get("charge")) or "",
        **_amount(refund["amount"], refund["currency"]),
        reason=why.replace("_", " ")[:100],
    )


def _refund_updated(refund: Object, at: datetime) -> Fact:
    """A pending refund that is cancelled never fails, and no other event reports it."""
    if refund["status"] == "canceled":
        return _refund_failed(refund, at)
    return Unused("Told by the charge's own events")


def _paid_by(charge: Object) -> Paid | None:
    """The payment, where the charge carries our ids: those of a hosted invoice do not."""
    refs = _refs(charge)
    if not (refs.given and charge["paid"] and charge["captured"] and charge["status"] == "succeeded"):
        return None
    intent_id = _id(charge.get("payment_intent"))
    return Paid(
        refs=refs,
        at=instant(charge["created"]),
        key=intent_id or charge["id"],
        **_amount(charge["amount_captured"], charge["currency"]),
        intent_id=intent_id,
        charge_id=charge["id"],
    )


def _dispute(dispute: Object, at: datetime) -> Fact:
    return Disputed(
        gateway_id=dispute["id"],
        at=at,
        opened_at=instant(dispute["created"]),
        intent_id=_id(dispute.get("payment_intent")),
        charge_id=_id(dispute["charge"]) or "",
        **_amount(dispute["amount"], dispute["currency"]),
        reason=declines.one_line(dispute["reason"])[:100],
        state=_DISPUTE_STATES.get(dispute["status"], DisputeState.OPEN),
        fee_minor=_dispute_fee(dispute),
    )


def _dispute_fee(dispute: Object) -> int | None:
    """A line of the gateway's books for what it took, another for what it gave back; each has its fee."""
    currency, lines = dispute["currency"], dispute.get("balance_transactions") or []
    if not lines or any(line["currency"] != currency for line in lines):
        return None
    return from_stripe(sum(line["fee"] for line in lines), currency)


# A warning that is closed, or a dispute that was prevented, took no money.
_DISPUTE_STATES: Final = {
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
}

_READERS: Final[dict[str, Callable[[Object, datetime], Fact]]] = {
    "payment_intent.succeeded": _intent_succeeded,
    "payment_intent.payment_failed": _intent_failed,
    "checkout.session.completed": _session_paid,
    "checkout.session.async_payment_succeeded": _session_paid,
    "checkout.session.async_payment_failed": _session_failed,
    "checkout.session.expired": _session_expired,
    "invoice.paid": _invoice_paid,
    INVOICE_FAILED: _invoice_failed,
    "setup_intent.succeeded": _card_entered,
    "charge.succeeded": _charge,
    "charge.refunded": _charge_refunded,
    "refund.failed": _refund_failed,
    "refund.updated": _refund_updated,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
    "charge.dispute.closed": _dispute,
}
HANDLED: Final = tuple(_READERS)


def _refs(thing: Object) -> Refs:
    metadata = thing.get("metadata") or {}
    kind = thing.get("object")
    named = thing["id"] if kind == "invoice" else thing.get("invoice")
    return Refs(
        link_id=_text(metadata.get("link_id")),
        invoice_id=_text(metadata.get("invoice_id")),
        attempt_id=_text(metadata.get("attempt_id")),
        gateway_link_id=_id(thing.get("payment_link")) or "",
        stripe_invoice_id=_id(named) or "",
    )


def _text(value: object) -> str:
    return value.replace("\0", "")[:64] if isinstance(value, str) else ""


def _id(value: object) -> str | None:
    """The id of an optional object, given as a whole or by its id."""
    identity = value.get("id") if isinstance(value, Mapping) else value
    return identity if isinstance(identity, str) and identity else None


def _intent_of(invoice: Object) -> str | None:
    """The payment behind an invoice, where the event has it."""
    payments = (invoice.get("payments") or {}).get("data") or []
    intent_ids = (_id((one.get("payment") or {}).get("payment_intent")) for one in payments)
    return next(filter(None, intent_ids), None)


def _amount(amount: int, currency: str) -> dict[str, Any]:
    if type(amount) is not int or amount < 0:
        raise ValueError(f"{amount!r} is no amount")
    return {"currency": currency_code(currency), "amount_minor": from_stripe(amount, currency)}


def _reason(error: Object | None) -> str:
    said = error or {}
    return declines.reason(said.get("message") or "", said.get("decline_code") or "")
