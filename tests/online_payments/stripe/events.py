"""Events as Stripe's API 2026-10-28.endive shapes them, with what we read and enough of what we do not.

``Paying`` is one payment of one link: each of its methods is one of the events that tell of it.
"""

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from billing_core.online_payments.webhooks import inbox

NOON = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp())
Object = dict[str, Any]
_numbers = itertools.count(1)


def event(kind: str, thing: Object, *, at: int = NOON, live: bool = False, event_id: str = "") -> Object:
    return {
        "id": event_id or f"evt_{next(_numbers):08}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": at,
        "livemode": live,
        "type": kind,
        "data": {"object": thing},
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
    }


def payload(told: Object) -> bytes:
    return json.dumps(told).encode()


def store(session, told: Object, *, now: datetime) -> bool:
    """As the route does with an event whose signature was right."""
    return inbox.store(session, told, payload(told), now=now)


@dataclass
class Paying:
    """``amount`` in Stripe's units. ``metadata`` is what we gave along; a hosted invoice keeps it to itself."""

    amount: int = 10_000
    currency: str = "eur"
    metadata: Object = field(default_factory=dict)
    number: int = field(default_factory=lambda: next(_numbers))
    link: str | None = None
    hosted: str | None = None
    paid_at: int = NOON

    @property
    def intent_id(self) -> str:
        return f"pi_{self.number:08}"

    @property
    def charge_id(self) -> str:
        return f"ch_{self.number:08}"

    @property
    def _carried(self) -> Object:
        return {} if self.hosted else dict(self.metadata)

    def intent(self, **more: Any) -> Object:
        return {
            "id": self.intent_id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_received": self.amount,
            "currency": self.currency,
            "latest_charge": self.charge_id,
            "last_payment_error": None,
            "metadata": self._carried,
            "status": "succeeded",
            "created": self.paid_at - 60,
        } | more

    def session(self, **more: Any) -> Object:
        return {
            "id": f"cs_{self.number:08}",
            "object": "checkout.session",
            "amount_total": self.amount,
            "currency": self.currency,
            "invoice": f"in_receipt{self.number:08}",
            "metadata": self._carried,
            "payment_intent": self.intent_id,
            "payment_link": self.link,
            "payment_status": "paid",
            "status": "complete",
            "created": self.paid_at - 60,
        } | more

    def invoice(self, **more: Any) -> Object:
        return {
            "id": self.hosted or f"in_receipt{self.number:08}",
            "object": "invoice",
            "amount_due": self.amount,
            "amount_paid": self.amount,
            "amount_paid_off_stripe": 0,
            "collection_method": "send_invoice" if self.hosted else "charge_automatically",
            "currency": self.currency,
            "metadata": dict(self.metadata),
            "status": "paid",
            "created": self.paid_at - 60,
        } | more

    def charge(self, **more: Any) -> Object:
        return {
            "id": self.charge_id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount,
            "amount_refunded": 0,
            "captured": True,
            "currency": self.currency,
            "metadata": self._carried,
            "paid": True,
            "payment_intent": self.intent_id,
            "refunded": False,
            "status": "succeeded",
            "created": self.paid_at,
        } | more

    def succeeded(self) -> Object:
        return event("payment_intent.succeeded", self.intent(), at=self.paid_at)

    def completed(self, **more: Any) -> Object:
        return event("checkout.session.completed", self.session(**more), at=self.paid_at)

    def async_succeeded(self) -> Object:
        return event("checkout.session.async_payment_succeeded", self.session(), at=self.paid_at)

    def invoice_paid(self, **more: Any) -> Object:
        return event("invoice.paid", self.invoice(**more), at=self.paid_at)

    def charged(self) -> Object:
        return event("charge.succeeded", self.charge(), at=self.paid_at)

    def refunded(self, so_far: int, *, at: int = NOON + 3600) -> Object:
        charge = self.charge(amount_refunded=so_far, refunded=so_far == self.amount)
        return event("charge.refunded", charge, at=at)

    def refund_failed(self, amount: int, *, at: int = NOON + 86_400) -> Object:
        refund = {
            "id": f"re_{self.number:08}",
            "object": "refund",
            "amount": amount,
            "charge": self.charge_id,
            "created": at - 3600,
            "currency": self.currency,
            "failure_reason": "lost_or_stolen_card",
            "metadata": {},
            "payment_intent": self.intent_id,
            "status": "failed",
        }
        return event("refund.failed", refund, at=at)

    def refund_updated(self, amount: int, status: str, *, at: int = NOON + 86_400) -> Object:
        failed = self.refund_failed(amount, at=at)["data"]["object"]
        return event("refund.updated", failed | {"status": status, "failure_reason": None}, at=at)

    def failed(self, message: str = "Your card was declined.", *, at: int = NOON - 60, code: str = "") -> Object:
        error = {"type": "card_error", "code": "card_declined", "decline_code": code or None, "message": message}
        intent = self.intent(amount_received=0, latest_charge=None, last_payment_error=error)
        return event("payment_intent.payment_failed", intent | {"status": "requires_payment_method"}, at=at)

    def async_failed(self, *, at: int = NOON - 60) -> Object:
        return event("checkout.session.async_payment_failed", self.session(payment_status="unpaid"), at=at)

    def invoice_failed(self, *, at: int = NOON - 60) -> Object:
        unpaid = {"amount_paid": 0, "status": "open"}
        return event("invoice.payment_failed", self.invoice(**unpaid), at=at)

    def expired(self) -> Object:
        session = self.session(payment_intent=None, payment_status="unpaid", status="expired", invoice=None)
        return event("checkout.session.expired", session, at=self.paid_at)

    def dispute(self, status: str = "needs_response", *, amount: int | None = None, **more: Any) -> Object:
        return {
            "id": f"dp_{self.number:08}",
            "object": "dispute",
            "amount": self.amount if amount is None else amount,
            "charge": self.charge_id,
            "created": self.paid_at + 7200,
            "currency": self.currency,
            "metadata": {},
            "payment_intent": self.intent_id,
            "reason": "fraudulent",
            "status": status,
        } | more

    def disputed(self, **facts: Any) -> Object:
        return event("charge.dispute.created", self.dispute(**facts), at=self.paid_at + 7200)

    def dispute_closed(self, status: str = "lost", *, after: int = 9000, **facts: Any) -> Object:
        return event("charge.dispute.closed", self.dispute(status, **facts), at=self.paid_at + after)
