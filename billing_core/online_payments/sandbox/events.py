"""What the sandbox tells us, shaped as Stripe shapes it, and how it reaches our own webhook address.

An event is put into the outbox with what it tells of, so that it is told once that is committed, and until it is heard.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from billing_core.identity import Actor
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import CollectionWay, PaymentLink
from billing_core.online_payments.models import SandboxCharge
from billing_core.online_payments.sandbox.cards import FAILURES
from billing_core.online_payments.stripe.amounts import for_stripe
from billing_core.online_payments.stripe.gateway import API_VERSION
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message

# The outbox's channel, and the topic of everything in it.
SANDBOX: Final = "sandbox"
EVENT: Final = "sandbox_event"


@dataclass(frozen=True, slots=True)
class Told:
    """What events are about: a payment, or the try at one, by a link of an invoice."""

    link: PaymentLink
    invoice: Invoice
    charge: SandboxCharge

    @property
    def metadata(self) -> dict[str, str]:
        stored = self.link.charge
        return {
            "invoice_id": str(stored["invoice_id"]),
            "link_id": self.link.public_id,
            "invoice_number": str(stored["invoice_number"]),
        }

    @property
    def hosted(self) -> bool:
        return self.link.way is CollectionWay.HOSTED_INVOICE

    @property
    def problem(self) -> dict[str, str] | None:
        """Why it was not paid, where it was not."""
        if self.charge.succeeded:
            return None
        code = next((what.value for what, said in FAILURES.items() if said == self.charge.failure), "card_declined")
        return {"type": "card_error", "code": code, "message": self.charge.failure}

    @property
    def currency(self) -> str:
        return self.charge.currency.lower()

    @property
    def amount(self) -> int:
        return for_stripe(self.charge.amount_minor, self.charge.currency)


def tell_payment(session: Session, actor: Actor, told: Told, *, now: datetime) -> None:
    """That the payment came in, or why it did not, in the order in which Stripe would say so."""
    if told.charge.succeeded:
        events = [("invoice.paid", _invoice(told))] if told.hosted else _by_link(told)
    elif told.hosted:
        events = [("invoice.payment_failed", _invoice(told))]
    else:
        events = [("payment_intent.payment_failed", _intent(told))]
    for kind, payload in events:
        _put(session, actor, told, kind, payload, now)


def tell_refund(session: Session, actor: Actor, told: Told, *, now: datetime) -> None:
    """That money of the payment went back; how much of it in all by now."""
    _put(session, actor, told, "charge.refunded", _charge(told), now)


def _by_link(told: Told) -> list[tuple[str, dict[str, Any]]]:
    return [("payment_intent.succeeded", _intent(told)), ("checkout.session.completed", _session(told))]


def _intent(told: Told) -> dict[str, Any]:
    paid = told.charge.succeeded
    return {
        "id": told.charge.intent_id,
        "object": "payment_intent",
        "amount": told.amount,
        "amount_received": told.amount if paid else 0,
        "currency": told.currency,
        "status": "succeeded" if paid else "requires_payment_method",
        "latest_charge": told.charge.charge_id,
        "last_payment_error": told.problem,
        "metadata": told.metadata,
    }


def _session(told: Told) -> dict[str, Any]:
    return {
        "id": told.charge.intent_id.replace("pi_", "cs_", 1),
        "object": "checkout.session",
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "payment_link": told.link.gateway_id,
        "payment_intent": told.charge.intent_id,
        "amount_total": told.amount,
        "currency": told.currency,
        "metadata": told.metadata,
    }


def _invoice(told: Told) -> dict[str, Any]:
    paid = told.charge.succeeded
    return {
        "id": told.link.gateway_id,
        "object": "invoice",
        "status": "paid" if paid else "open",
        "collection_method": "send_invoice",
        "billing_reason": "manual",
        "amount_due": told.amount,
        "amount_paid": told.amount if paid else 0,
        "amount_remaining": 0 if paid else told.amount,
        "total": told.amount,
        "currency": told.currency,
        "last_payment_error": told.problem,
        "metadata": told.metadata,
    }


def _charge(told: Told) -> dict[str, Any]:
    refunded = for_stripe(told.charge.refunded_minor, told.charge.currency)
    return {
        "id": told.charge.charge_id,
        "object": "charge",
        "amount": told.amount,
        "amount_captured": told.amount,
        "amount_refunded": refunded,
        "refunded": refunded == told.amount,
        "paid": True,
        "captured": True,
        "status": "succeeded",
        "currency": told.currency,
        "payment_intent": told.charge.intent_id,
        "failure_message": None,
        # Stripe gives the charge of an invoice nothing of what the invoice bears.
        "metadata": {} if told.hosted else told.metadata,
    }


def _put(session: Session, actor: Actor, told: Told, kind: str, payload: dict[str, Any], now: datetime) -> None:
    event_id = f"evt_sandbox_{secrets.token_hex(12)}"
    event = {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": int(now.timestamp()),
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
        "data": {"object": {**payload, "created": int(told.charge.created_at.timestamp()), "livemode": False}},
    }
    message = Message(
        channel=SANDBOX,
        topic=EVENT,
        key=event_id,
        recipient="/webhooks/stripe",
        title=f"{kind} about {told.invoice.number or told.invoice.customer_name}",
        subject=("payment_link", told.link.id),
        content={"event": json.dumps(event)},
        customer_id=told.invoice.customer_id,
    )
    outbox.put(session, actor, message, now=now)
