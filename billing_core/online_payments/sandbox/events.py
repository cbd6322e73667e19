"""The sandbox's events, shaped like Stripe's, and how they reach our own webhook address.

An event goes into the outbox with the change that it reports: it is sent after the commit, and repeated until it
arrives.
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
from billing_core.online_payments.models import SANDBOX, SandboxCharge
from billing_core.online_payments.sandbox.cards import FAILURES
from billing_core.online_payments.stripe.amounts import for_stripe
from billing_core.online_payments.stripe.gateway import API_VERSION
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message

# The topic of everything in the outbox's channel.
EVENT: Final = "sandbox_event"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The subject of events: a payment, or an attempt at one, by a link of an invoice."""

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
        """Why it was not paid, if it was not."""
        if self.charge.succeeded:
            return None
        codes = (outcome.value for outcome, message in FAILURES.items() if message == self.charge.failure)
        return {"type": "card_error", "code": next(codes, "card_declined"), "message": self.charge.failure}

    @property
    def currency(self) -> str:
        return self.charge.currency.lower()

    @property
    def amount(self) -> int:
        return for_stripe(self.charge.amount_minor, self.charge.currency)


def tell_payment(session: Session, actor: Actor, attempt: Attempt, *, now: datetime) -> None:
    """Send the events of a successful or failed payment, in Stripe's order."""
    if attempt.charge.succeeded:
        events = [("invoice.paid", _invoice(attempt))] if attempt.hosted else _by_link(attempt)
    elif attempt.hosted:
        events = [("invoice.payment_failed", _invoice(attempt))]
    else:
        events = [("payment_intent.payment_failed", _intent(attempt))]
    for kind, payload in events:
        _put(session, actor, attempt, kind, payload, now)


def tell_refund(session: Session, actor: Actor, attempt: Attempt, *, now: datetime) -> None:
    """Send the event of a refund; ``refunded_minor`` is the total refunded so far."""
    _put(session, actor, attempt, "charge.refunded", _charge(attempt), now)


def _by_link(attempt: Attempt) -> list[tuple[str, dict[str, Any]]]:
    return [("payment_intent.succeeded", _intent(attempt)), ("checkout.session.completed", _session(attempt))]


def _intent(attempt: Attempt) -> dict[str, Any]:
    paid = attempt.charge.succeeded
    return {
        "id": attempt.charge.intent_id,
        "object": "payment_intent",
        "amount": attempt.amount,
        "amount_received": attempt.amount if paid else 0,
        "currency": attempt.currency,
        "status": "succeeded" if paid else "requires_payment_method",
        "latest_charge": attempt.charge.charge_id,
        "last_payment_error": attempt.problem,
        "metadata": attempt.metadata,
    }


def _session(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.charge.intent_id.replace("pi_", "cs_", 1),
        "object": "checkout.session",
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "payment_link": attempt.link.gateway_id,
        "payment_intent": attempt.charge.intent_id,
        "amount_total": attempt.amount,
        "currency": attempt.currency,
        "metadata": attempt.metadata,
    }


def _invoice(attempt: Attempt) -> dict[str, Any]:
    paid = attempt.charge.succeeded
    return {
        "id": attempt.link.gateway_id,
        "object": "invoice",
        "status": "paid" if paid else "open",
        "collection_method": "send_invoice",
        "billing_reason": "manual",
        "amount_due": attempt.amount,
        "amount_paid": attempt.amount if paid else 0,
        "amount_remaining": 0 if paid else attempt.amount,
        "total": attempt.amount,
        "currency": attempt.currency,
        "last_payment_error": attempt.problem,
        "metadata": attempt.metadata,
    }


def _charge(attempt: Attempt) -> dict[str, Any]:
    refunded = for_stripe(attempt.charge.refunded_minor, attempt.charge.currency)
    return {
        "id": attempt.charge.charge_id,
        "object": "charge",
        "amount": attempt.amount,
        "amount_captured": attempt.amount,
        "amount_refunded": refunded,
        "refunded": refunded == attempt.amount,
        "paid": True,
        "captured": True,
        "status": "succeeded",
        "currency": attempt.currency,
        "payment_intent": attempt.charge.intent_id,
        "failure_message": None,
        # Stripe does not copy an invoice's metadata to its charge.
        "metadata": {} if attempt.hosted else attempt.metadata,
    }


def _put(session: Session, actor: Actor, attempt: Attempt, kind: str, payload: dict[str, Any], now: datetime) -> None:
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
        "data": {"object": {**payload, "created": int(attempt.charge.created_at.timestamp()), "livemode": False}},
    }
    message = Message(
        channel=SANDBOX,
        topic=EVENT,
        key=event_id,
        recipient="/webhooks/stripe",
        title=f"{kind} about {attempt.invoice.number or attempt.invoice.customer_name}",
        subject=("payment_link", attempt.link.id),
        content={"event": json.dumps(event)},
        customer_id=attempt.invoice.customer_id,
    )
    outbox.put(session, actor, message, now=now)
