"""The meaning of a gateway event, in our own terms. Pure: no lookups, no decisions.

The shapes are those of Stripe's API; the sandbox sends the same. Several events report one payment, in any order, so
each is read for as much as it contains.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from billing_core.errors import Invalid
from billing_core.online_payments import declines
from billing_core.online_payments.models import DisputeState
from billing_core.online_payments.stripe.amounts import from_stripe
from billing_core.online_payments.webhooks import fields
from billing_core.online_payments.webhooks.facts import (
    CardEntered,
    Disputed,
    Fact,
    Failed,
    MarkedPaid,
    Noted,
    Paid,
    Refs,
    Refunded,
    RefundFailed,
    Unused,
)
from billing_core.online_payments.webhooks.fields import Object

# The gateway's own invoice was not paid.
INVOICE_FAILED: Final = "invoice.payment_failed"
_LONGEST_CODE: Final = 64

# A notification of Stripe's newer API: it names what changed, and carries nothing of it.
_THIN: Final = "v2.core.event"


def parsed(payload: str) -> Object:
    """The event in a stored payload, which was checked before it was stored."""
    event: Object = json.loads(payload)
    return event


def created_at(event: Object) -> datetime:
    """When it happened. Invalid where it does not say so."""
    created = event.get("created")
    try:
        if event.get("object") == _THIN and isinstance(created, str):
            at = datetime.fromisoformat(created)
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        return fields.instant(created)
    except (ValueError, OverflowError) as error:
        raise Invalid("It does not say when it happened") from error


def fact_of(event: Object) -> Fact:
    """The event's meaning. Invalid where it does not have the shape of its type."""
    if event.get("object") == _THIN:
        return Unused("Only names what changed, without its contents: nothing is done with such events")
    kind = str(event["type"])
    read = _READERS.get(kind)
    if read is None:
        return Unused("Nothing is done with events of this type")
    try:
        thing = fields.mapping(fields.part(event, "data").get("object"), "object")
        return read(thing, fields.instant(event.get("created")))
    except ValueError as error:
        raise Invalid(f"The event does not have the shape of a {kind}: {error}") from error


def _intent_succeeded(intent: Object, at: datetime) -> Fact:
    return Paid(
        refs=_refs(intent),
        at=at,
        key=fields.own_id(intent),
        **fields.money(fields.amount(intent, "amount_received"), intent),
        intent_id=fields.own_id(intent),
        charge_id=fields.id_of(intent, "latest_charge"),
    )


def _intent_failed(intent: Object, at: datetime) -> Fact:
    error = fields.part(intent, "last_payment_error")
    return Failed(
        _refs(intent),
        at,
        _reason(error),
        code=fields.optional_word(error, "code")[:_LONGEST_CODE],
        decline_code=fields.optional_word(error, "decline_code")[:_LONGEST_CODE],
        intent_id=fields.own_id(intent),
    )


def _session_paid(session: Object, at: datetime) -> Fact:
    refs = _refs(session)
    if fields.word(session, "payment_status") != "paid":
        return Noted(refs, "The customer has finished, and the money is still on its way", pending_at=at)
    intent_id = fields.id_of(session, "payment_intent")
    if intent_id is None:
        return Unused("Nothing was charged")
    return Paid(
        refs=refs,
        at=at,
        key=intent_id,
        **fields.money(fields.amount(session, "amount_total"), session),
        intent_id=intent_id,
    )


def _session_failed(session: Object, at: datetime) -> Fact:
    # The session was completed days ago, and each link allows only one.
    return Failed(_refs(session), at, "The customer's bank did not pay", used_up=True)


def _session_expired(session: Object, _at: datetime) -> Fact:
    return Noted(_refs(session), "The customer has begun to pay and not finished")


def _invoice_paid(invoice: Object, at: datetime) -> Fact:
    paid = fields.amount(invoice, "amount_paid")
    # Payments made elsewhere are entered at the gateway by people, who enter them here too. Versions of the gateway's
    # API before 2025 say so of the whole invoice, later ones by an amount.
    elsewhere = paid if fields.flag(invoice, "paid_out_of_band") else fields.whole(invoice, "amount_paid_off_stripe")
    if elsewhere < 0:
        raise fields.WrongShape("amount_paid_off_stripe", "no amount")
    if paid and elsewhere >= paid:
        return MarkedPaid(_refs(invoice), at, fields.own_id(invoice), **fields.money(paid, invoice))
    if not paid:
        return Noted(_refs(invoice), "There was nothing to pay, and no money came in through the gateway")
    return Paid(
        refs=_refs(invoice),
        at=at,
        key=fields.own_id(invoice),
        **fields.money(paid - elsewhere, invoice),
        intent_id=_intent_of(invoice),
        charge_id=fields.id_of(invoice, "charge"),
        sent=fields.optional_word(invoice, "collection_method") == "send_invoice",
    )


def _invoice_failed(invoice: Object, at: datetime) -> Fact:
    return Failed(_refs(invoice), at, _reason(fields.part(invoice, "last_payment_error")), by_invoice=True)


def _card_entered(setup: Object, _at: datetime) -> Fact:
    request_id, method_id = fields.our_id(setup, "request_id"), fields.id_of(setup, "payment_method")
    if not request_id or method_id is None:
        return Unused("Not ours: no card was asked for")
    return CardEntered(request_id, method_id, fields.id_of(setup, "customer"))


def _charge(charge: Object, _at: datetime) -> Fact:
    return _paid_by(charge) or Unused("Told by the payment's other events")


def _charge_refunded(charge: Object, at: datetime) -> Fact:
    return Refunded(
        refs=_refs(charge),
        at=at,
        intent_id=fields.id_of(charge, "payment_intent"),
        charge_id=fields.own_id(charge),
        refunded_minor=fields.money(fields.amount(charge, "amount_refunded"), charge)["amount_minor"],
        paid=_paid_by(charge),
    )


def _refund_failed(refund: Object, at: datetime) -> Fact:
    canceled = fields.optional_word(refund, "status") == "canceled"
    why = "it was canceled" if canceled else fields.optional_word(refund, "failure_reason")
    return RefundFailed(
        at=at,
        refund_id=fields.own_id(refund),
        intent_id=fields.id_of(refund, "payment_intent"),
        charge_id=fields.id_of(refund, "charge") or "",
        **fields.money(fields.amount(refund, "amount"), refund),
        reason=why.replace("_", " ")[:100],
    )


def _refund_updated(refund: Object, at: datetime) -> Fact:
    """A pending refund that is cancelled never fails, and no other event reports it."""
    if fields.word(refund, "status") == "canceled":
        return _refund_failed(refund, at)
    return Unused("Told by the charge's own events")


def _paid_by(charge: Object) -> Paid | None:
    """The payment, where the charge carries our ids: those of a hosted invoice do not."""
    refs = _refs(charge)
    done = fields.flag(charge, "paid") and fields.flag(charge, "captured")
    if not (refs.given and done and fields.word(charge, "status") == "succeeded"):
        return None
    intent_id = fields.id_of(charge, "payment_intent")
    return Paid(
        refs=refs,
        at=fields.instant(charge.get("created")),
        key=intent_id or fields.own_id(charge),
        **fields.money(fields.amount(charge, "amount_captured"), charge),
        intent_id=intent_id,
        charge_id=fields.own_id(charge),
    )


def _dispute(dispute: Object, at: datetime) -> Fact:
    return Disputed(
        gateway_id=fields.own_id(dispute),
        at=at,
        opened_at=fields.instant(dispute.get("created")),
        intent_id=fields.id_of(dispute, "payment_intent"),
        charge_id=fields.id_of(dispute, "charge") or "",
        **fields.money(fields.amount(dispute, "amount"), dispute),
        reason=fields.optional_word(dispute, "reason")[:100],
        state=_DISPUTE_STATES.get(fields.word(dispute, "status"), DisputeState.OPEN),
        fee_minor=_dispute_fee(dispute),
    )


def _dispute_fee(dispute: Object) -> int | None:
    """A line of the gateway's books for what it took, another for what it gave back; each has its fee."""
    currency, lines = fields.word(dispute, "currency"), fields.listed(dispute, "balance_transactions")
    if not lines or any(fields.word(line, "currency") != currency for line in lines):
        return None
    return from_stripe(sum(fields.whole(line, "fee") for line in lines), currency)


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
    is_invoice = fields.optional_word(thing, "object") == "invoice"
    return Refs(
        link_id=fields.our_id(thing, "link_id"),
        invoice_id=fields.our_id(thing, "invoice_id"),
        attempt_id=fields.our_id(thing, "attempt_id"),
        gateway_link_id=fields.id_of(thing, "payment_link") or "",
        stripe_invoice_id=(fields.own_id(thing) if is_invoice else fields.id_of(thing, "invoice")) or "",
    )


def _intent_of(invoice: Object) -> str | None:
    """The payment behind an invoice, where the event has it."""
    payments = fields.listed(fields.part(invoice, "payments"), "data")
    intent_ids = (fields.id_of(fields.part(one, "payment"), "payment_intent") for one in payments)
    return next(filter(None, intent_ids), None) or fields.id_of(invoice, "payment_intent")


def _reason(error: Object) -> str:
    return declines.reason(fields.optional_word(error, "message"), fields.optional_word(error, "decline_code"))
