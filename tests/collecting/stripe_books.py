"""What the stand-in for Stripe knows: links, customers, invoices, payments, refunds, disputes, and its own books.

Objects are as Stripe shapes them in the pinned API version; a field that the library's classes do not know fails.
"""

import itertools
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import stripe
from stripe import checkout

from billing_core.collecting.stripe_gateway import API_VERSION

Object = dict[str, Any]

_CLASSES: dict[str, type] = {
    "payment_link": stripe.PaymentLink,
    "checkout.session": checkout.Session,
    "customer": stripe.Customer,
    "invoice": stripe.Invoice,
    "invoiceitem": stripe.InvoiceItem,
    "invoice_payment": stripe.InvoicePayment,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "dispute": stripe.Dispute,
    "balance_transaction": stripe.BalanceTransaction,
    "account": stripe.Account,
    "event": stripe.Event,
}
_PREFIXES = {
    "payment_link": "plink",
    "checkout.session": "cs_test",
    "customer": "cus",
    "invoice": "in",
    "invoiceitem": "ii",
    "invoice_payment": "inpay",
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "dispute": "dp",
    "balance_transaction": "txn",
    "event": "evt",
}


class Refused(Exception):
    """What Stripe answers with status 400, or another."""

    def __init__(self, message: str, *, status: int = 400, code: str = "", kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.message, self.status, self.code, self.kind = message, status, code, kind


class Books:
    """``objects`` by id; ``events`` in the order in which they happened. Amounts in Stripe's units.

    ``livemode`` and ``account`` may be changed by a test, ``fee`` is what each payment costs.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.events: list[Object] = []
        self.livemode = False
        self.fee = 59
        self._numbers = itertools.count(1)
        self.account: Object = self.new(
            "account",
            id="acct_standin",
            charges_enabled=True,
            capabilities={"card_payments": "active", "transfers": "active"},
            requirements={"disabled_reason": None},
            settings={"dashboard": {"display_name": "Northwind Test", "timezone": "Etc/UTC"}},
            business_profile={"name": "Northwind"},
            country="DE",
            default_currency="eur",
        )

    def new(self, kind: str, **fields: Any) -> Object:
        made = fields if "id" in fields else {"id": f"{_PREFIXES[kind]}_{next(self._numbers):024}", **fields}
        made = {"object": kind, **made}
        known = {name for one in _CLASSES[kind].__mro__ for name in vars(one).get("__annotations__", ())}
        made = {name: value for name, value in self._always().items() if name in known} | made
        assert made.keys() <= known, f"{kind} has no {made.keys() - known}"
        self.objects[made["id"]] = made
        return made

    def _always(self) -> Object:
        return {"created": int(time.time()), "livemode": self.livemode}

    def all(self, kind: str) -> list[Object]:
        """The newest first, as Stripe lists."""
        return [one for one in reversed(self.objects.values()) if one["object"] == kind]

    def one(self, kind: str, identity: str) -> Object:
        found = self.objects.get(identity)
        if found is None or found["object"] != kind:
            raise Refused(f"No such {kind}: '{identity}'", status=404, code="resource_missing")
        return found

    # What customers do

    def open_session(self, link_id: str) -> Object:
        """Somebody looks at the page of a payment link."""
        link = self.one("payment_link", link_id)
        assert link["active"], "this payment link is not active"
        return self.new(
            "checkout.session",
            mode="payment",
            status="open",
            payment_status="unpaid",
            payment_link=link_id,
            amount_total=self.amount_of(link),
            amount_subtotal=self.amount_of(link),
            currency=link["currency"],
            metadata=dict(link["metadata"]),
            payment_intent=None,
            invoice=None,
        )

    def pay(
        self,
        identity: str,
        *,
        amount: int | None = None,
        currency: str | None = None,
        at: datetime | None = None,
        later: bool = False,
    ) -> list[Object]:
        """Pay a payment link (``plink_…``) or a hosted invoice (``in_…``); the events of it, in Stripe's order.

        ``later``: by a method that takes days: the session is complete but unpaid, see ``settle``.
        """
        if identity.startswith("in_"):
            return self._pay_invoice(self.one("invoice", identity), amount, currency, at)
        link = self.one("payment_link", identity)
        session = self.open_session(identity)
        link["restrictions"]["completed_sessions"]["count"] += 1
        if link["restrictions"]["completed_sessions"]["count"] >= link["restrictions"]["completed_sessions"]["limit"]:
            link["active"] = False
        session |= {"status": "complete", "customer_details": {"email": "payer@example.com"}}
        session["amount_total"] = amount or session["amount_total"]
        session["currency"] = currency or session["currency"]
        self.objects[session["id"]] = session
        intent = self._intent(session["amount_total"], session["currency"], link["payment_intent_data"]["metadata"], at)
        session["payment_intent"] = intent["id"]
        if later:
            intent["status"], intent["amount_received"] = "processing", 0
            return [self.tell("checkout.session.completed", session, at)]
        return self._collected(session, at, "checkout.session.completed")

    def settle(self, session_id: str, *, at: datetime | None = None) -> list[Object]:
        """The money of a payment that takes days has come."""
        return self._collected(self.one("checkout.session", session_id), at, "checkout.session.async_payment_succeeded")

    def bounce(self, session_id: str, *, at: datetime | None = None) -> list[Object]:
        """The money of a payment that takes days will not come."""
        session = self.one("checkout.session", session_id)
        intent = self._failed(self.one("payment_intent", session["payment_intent"]), "The bank refused the debit.")
        told = (("payment_intent.payment_failed", intent), ("checkout.session.async_payment_failed", session))
        return [self.tell(kind, one, at) for kind, one in told]

    def decline(
        self, identity: str, *, message: str = "Your card was declined.", at: datetime | None = None
    ) -> list[Object]:
        """A try to pay that fails: the place to pay stays open."""
        if identity.startswith("in_"):
            invoice = self.one("invoice", identity)
            intent = self._failed(self._intent(invoice["amount_due"], invoice["currency"], {}, at), message)
            told = (("payment_intent.payment_failed", intent), ("invoice.payment_failed", invoice))
            return [self.tell(kind, one, at) for kind, one in told]
        link = self.one("payment_link", identity)
        intent = self._intent(self.amount_of(link), link["currency"], link["payment_intent_data"]["metadata"], at)
        return [self.tell("payment_intent.payment_failed", self._failed(intent, message), at)]

    def dispute(self, intent_id: str, *, reason: str = "fraudulent", at: datetime | None = None) -> Object:
        """The customer asks their bank for the money back; the event."""
        charge = self.charge_of(intent_id)
        charge["disputed"] = True
        made = self.new(
            "dispute",
            charge=charge["id"],
            payment_intent=intent_id,
            amount=charge["amount"],
            currency=charge["currency"],
            reason=reason,
            status="needs_response",
            metadata={},
            balance_transactions=[],
        )
        return self.tell("charge.dispute.created", made, at)

    def close_dispute(self, dispute_id: str, *, won: bool, at: datetime | None = None) -> Object:
        made = self.one("dispute", dispute_id)
        made["status"] = "won" if won else "lost"
        return self.tell("charge.dispute.closed", made, at)

    # What both sides do

    def refund(self, intent_id: str, amount: int | None, metadata: Object, at: datetime | None = None) -> Object:
        charge = self.charge_of(intent_id)
        left = charge["amount"] - charge["amount_refunded"]
        if not left:
            raise Refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        back = left if amount is None else amount
        if not 0 < back <= left:
            raise Refused(f"Refund amount ({back}) is greater than unrefunded amount on charge ({left})")
        charge["amount_refunded"] += back
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        made = self.new(
            "refund",
            amount=back,
            currency=charge["currency"],
            charge=charge["id"],
            payment_intent=intent_id,
            status="succeeded",
            metadata=metadata,
            balance_transaction=None,
        )
        made["balance_transaction"] = self._booked("refund", made, -back, 0, at)["id"]
        self.tell("charge.refunded", charge, at)
        return made

    def charge_of(self, intent_id: str) -> Object:
        return self.one("charge", self.one("payment_intent", intent_id)["latest_charge"] or "")

    def tell(self, kind: str, about: Object, at: datetime | None = None) -> Object:
        """Another event, with the object as it is now."""
        event = self.new(
            "event",
            type=kind,
            api_version=API_VERSION,
            created=_seconds(at),
            data={"object": _copy(about)},
            pending_webhooks=1,
            request={"id": None, "idempotency_key": None},
        )
        self.events.append(event)
        return event

    def amount_of(self, link: Object) -> int:
        return sum(line["quantity"] * line["price_data"]["unit_amount"] for line in link["line_items"])

    def _pay_invoice(
        self, invoice: Object, amount: int | None, currency: str | None, at: datetime | None
    ) -> list[Object]:
        assert invoice["status"] == "open", "only an open invoice can be paid"
        # An invoice's own intent does not get its metadata.
        intent = self._intent(amount or invoice["amount_due"], currency or invoice["currency"], {}, at)
        charge = self._charge(intent, at)
        self._paid_by(invoice, intent, at)
        told = (("charge.succeeded", charge), ("payment_intent.succeeded", intent), ("invoice.paid", invoice))
        return [self.tell(kind, one, at) for kind, one in told]

    def _collected(self, session: Object, at: datetime | None, kind: str) -> list[Object]:
        intent = self.one("payment_intent", session["payment_intent"])
        link = self.one("payment_link", session["payment_link"])
        charge = self._charge(intent, at)
        # Made after the payment, because the link asks for it.
        invoice = self.new(
            "invoice",
            status="open",
            currency=intent["currency"],
            amount_due=intent["amount"],
            amount_paid=0,
            amount_remaining=intent["amount"],
            total=intent["amount"],
            metadata=dict(link["invoice_creation"]["invoice_data"].get("metadata", {})),
            collection_method="charge_automatically",
            billing_reason="manual",
        )
        self._paid_by(invoice, intent, at)
        session |= {"payment_status": "paid", "invoice": invoice["id"]}
        self.objects[session["id"]] = session
        told: Sequence[tuple[str, Object]] = (
            ("charge.succeeded", charge),
            ("payment_intent.succeeded", intent),
            (kind, session),
            ("invoice.paid", invoice),
        )
        return [self.tell(name, one, at) for name, one in told]

    def _paid_by(self, invoice: Object, intent: Object, at: datetime | None) -> None:
        invoice |= {"status": "paid", "amount_paid": intent["amount"], "amount_remaining": 0}
        invoice["status_transitions"] = {"paid_at": _seconds(at)}
        self.objects[invoice["id"]] = invoice
        self.new(
            "invoice_payment",
            invoice=invoice["id"],
            amount_paid=intent["amount"],
            amount_requested=intent["amount"],
            currency=intent["currency"],
            is_default=True,
            status="paid",
            payment={"type": "payment_intent", "payment_intent": intent["id"]},
        )

    def _intent(self, amount: int, currency: str, metadata: Object, at: datetime | None) -> Object:
        return self.new(
            "payment_intent",
            amount=amount,
            amount_received=amount,
            currency=currency,
            metadata=dict(metadata),
            status="succeeded",
            latest_charge=None,
            last_payment_error=None,
            created=_seconds(at),
        )

    def _charge(self, intent: Object, at: datetime | None) -> Object:
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        charge = self.new(
            "charge",
            amount=intent["amount"],
            amount_captured=intent["amount"],
            amount_refunded=0,
            currency=intent["currency"],
            metadata=dict(intent["metadata"]),
            payment_intent=intent["id"],
            paid=True,
            captured=True,
            refunded=False,
            disputed=False,
            status="succeeded",
            balance_transaction=None,
            failure_message=None,
            created=_seconds(at),
        )
        charge["balance_transaction"] = self._booked("charge", charge, charge["amount"], self.fee, at)["id"]
        intent["latest_charge"] = charge["id"]
        self.objects[intent["id"]] = intent
        return charge

    def _failed(self, intent: Object, message: str) -> Object:
        error = {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "message": message}
        intent |= {"status": "requires_payment_method", "amount_received": 0, "last_payment_error": error}
        self.objects[intent["id"]] = intent
        return intent

    def _booked(self, kind: str, source: Object, amount: int, fee: int, at: datetime | None) -> Object:
        return self.new(
            "balance_transaction",
            type=kind,
            source=source["id"],
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency=source["currency"],
            created=_seconds(at),
            description=None,
            status="available",
            reporting_category=kind,
            available_on=_seconds(at),
        )


def _seconds(at: datetime | None) -> int:
    return int(time.time() if at is None else at.timestamp())


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value
