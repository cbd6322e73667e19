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

from billing_core.customers.models import Customer
from billing_core.identity import Actor
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import CollectionWay, PaymentLink
from billing_core.online_payments.models import SANDBOX, CardRequest, ChargeAttempt, SandboxCharge
from billing_core.online_payments.sandbox import cards
from billing_core.online_payments.sandbox.cards import FAILURES
from billing_core.online_payments.stripe import API_VERSION
from billing_core.online_payments.stripe.amounts import for_stripe
from billing_core.outbox import service as outbox
from billing_core.outbox.service import Message

# The topic of everything in the outbox's channel.
EVENT: Final = "sandbox_event"


@dataclass(frozen=True, slots=True)
class Told:
    """What the outbox says of an event: whom or what it is about, and since when there is what it carries."""

    about: str
    subject: tuple[str, int]
    customer_id: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tried:
    """The subject of events: a payment of an invoice, or a try at one, by a link or by charging a card on file."""

    invoice: Invoice
    charge: SandboxCharge
    link: PaymentLink | None = None
    attempt: ChargeAttempt | None = None

    @property
    def metadata(self) -> dict[str, str]:
        if self.link is None:
            return {"invoice_id": self.invoice.public_id, "attempt_id": self.attempt.public_id if self.attempt else ""}
        stored = self.link.charge
        return {
            "invoice_id": str(stored["invoice_id"]),
            "link_id": self.link.public_id,
            "invoice_number": str(stored["invoice_number"]),
        }

    @property
    def told(self) -> Told:
        subject = ("payment_link", self.link.id) if self.link else ("invoice", self.invoice.id)
        about = self.invoice.number or self.invoice.customer_name
        return Told(about, subject, self.invoice.customer_id, self.charge.created_at)

    @property
    def hosted(self) -> bool:
        return self.link is not None and self.link.way is CollectionWay.HOSTED_INVOICE

    @property
    def problem(self) -> dict[str, str] | None:
        """Why it was not paid, if it was not."""
        if self.charge.succeeded:
            return None
        if self.link is None:
            code, decline_code = cards.codes(self.charge.failure)
            problem = {"type": "card_error", "code": code, "decline_code": decline_code}
            return problem | {"message": self.charge.failure}
        codes = (outcome.value for outcome, message in FAILURES.items() if message == self.charge.failure)
        return {"type": "card_error", "code": next(codes, "card_declined"), "message": self.charge.failure}

    @property
    def currency(self) -> str:
        return self.charge.currency.lower()

    @property
    def amount(self) -> int:
        return for_stripe(self.charge.amount_minor, self.charge.currency)


def tell_payment(session: Session, actor: Actor, tried: Tried, *, now: datetime) -> None:
    """Send the events of a successful or failed payment, in Stripe's order."""
    if tried.charge.succeeded:
        events = [("invoice.paid", _invoice(tried))] if tried.hosted else _by_intent(tried)
    elif tried.hosted:
        events = [("invoice.payment_failed", _invoice(tried))]
    else:
        events = [("payment_intent.payment_failed", _intent(tried))]
    for kind, payload in events:
        _put(session, actor, tried.told, kind, payload, now)


def tell_refund(session: Session, actor: Actor, tried: Tried, *, now: datetime) -> None:
    """Send the event of a refund; ``refunded_minor`` is the total refunded so far."""
    _put(session, actor, tried.told, "charge.refunded", _charge(tried), now)


def tell_card(session: Session, actor: Actor, request: CardRequest, method_id: str, *, now: datetime) -> None:
    """Send the event of a card that the customer has entered; ``method_id`` is the test method that it makes."""
    customer = session.get_one(Customer, request.customer_id)
    payload = {
        "id": f"seti_sandbox_{secrets.token_hex(12)}",
        "object": "setup_intent",
        "status": "succeeded",
        "usage": "off_session",
        "customer": None,
        "payment_method": method_id,
        "metadata": {"request_id": request.public_id},
    }
    told = Told(customer.name, ("customer", customer.id), customer.id, now)
    _put(session, actor, told, "setup_intent.succeeded", payload, now)


def _by_intent(tried: Tried) -> list[tuple[str, dict[str, Any]]]:
    paid = [("payment_intent.succeeded", _intent(tried))]
    if tried.link is not None:
        paid.append(("checkout.session.completed", _session(tried, tried.link)))
    return paid


def _intent(tried: Tried) -> dict[str, Any]:
    paid = tried.charge.succeeded
    return {
        "id": tried.charge.intent_id,
        "object": "payment_intent",
        "amount": tried.amount,
        "amount_received": tried.amount if paid else 0,
        "currency": tried.currency,
        "status": "succeeded" if paid else "requires_payment_method",
        "latest_charge": tried.charge.charge_id,
        "last_payment_error": tried.problem,
        "metadata": tried.metadata,
    }


def _session(tried: Tried, link: PaymentLink) -> dict[str, Any]:
    return {
        "id": tried.charge.intent_id.replace("pi_", "cs_", 1),
        "object": "checkout.session",
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "payment_link": link.gateway_id,
        "payment_intent": tried.charge.intent_id,
        "amount_total": tried.amount,
        "currency": tried.currency,
        "metadata": tried.metadata,
    }


def _invoice(tried: Tried) -> dict[str, Any]:
    paid = tried.charge.succeeded
    return {
        "id": tried.link.gateway_id if tried.link else None,
        "object": "invoice",
        "status": "paid" if paid else "open",
        "collection_method": "send_invoice",
        "billing_reason": "manual",
        "amount_due": tried.amount,
        "amount_paid": tried.amount if paid else 0,
        "amount_remaining": 0 if paid else tried.amount,
        "total": tried.amount,
        "currency": tried.currency,
        "last_payment_error": tried.problem,
        "metadata": tried.metadata,
    }


def _charge(tried: Tried) -> dict[str, Any]:
    refunded = for_stripe(tried.charge.refunded_minor, tried.charge.currency)
    return {
        "id": tried.charge.charge_id,
        "object": "charge",
        "amount": tried.amount,
        "amount_captured": tried.amount,
        "amount_refunded": refunded,
        "refunded": refunded == tried.amount,
        "paid": True,
        "captured": True,
        "status": "succeeded",
        "currency": tried.currency,
        "payment_intent": tried.charge.intent_id,
        "failure_message": None,
        # Stripe does not copy an invoice's metadata to its charge.
        "metadata": {} if tried.hosted else tried.metadata,
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
        "data": {"object": {**payload, "created": int(told.created_at.timestamp()), "livemode": False}},
    }
    message = Message(
        channel=SANDBOX,
        topic=EVENT,
        key=event_id,
        recipient="/webhooks/stripe",
        title=f"{kind} about {told.about}",
        subject=told.subject,
        content={"event": json.dumps(event)},
        customer_id=told.customer_id,
    )
    outbox.put(session, actor, message, now=now)
