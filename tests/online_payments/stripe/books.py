"""What customers, their banks and Stripe itself do with links, invoices and payments, in the stand-in for Stripe."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.online_payments.stripe.objects import Object, Objects, Refused, seconds


class Books(Objects):
    """Each of these returns the events of it, in Stripe's order. Amounts in Stripe's units. ``cards``: of which test
    method each card on file was made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cards: dict[str, str] = {}

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
        intent = self.intent(session["amount_total"], session["currency"], link["payment_intent_data"]["metadata"], at)
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
            intent = self._failed(self.intent(invoice["amount_due"], invoice["currency"], {}, at), message)
            told = (("payment_intent.payment_failed", intent), ("invoice.payment_failed", invoice))
            return [self.tell(kind, one, at) for kind, one in told]
        link = self.one("payment_link", identity)
        intent = self.intent(self.amount_of(link), link["currency"], link["payment_intent_data"]["metadata"], at)
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
        made["balance_transaction"] = self.booked("refund", made, -back, 0, at)["id"]
        self.tell("charge.refunded", charge, at)
        return made

    def charge_of(self, intent_id: str) -> Object:
        return self.one("charge", self.one("payment_intent", intent_id)["latest_charge"] or "")

    def amount_of(self, link: Object) -> int:
        return sum(line["quantity"] * line["price_data"]["unit_amount"] for line in link["line_items"])

    def _pay_invoice(
        self, invoice: Object, amount: int | None, currency: str | None, at: datetime | None
    ) -> list[Object]:
        assert invoice["status"] == "open", "only an open invoice can be paid"
        # An invoice's own intent does not get its metadata.
        intent = self.intent(amount or invoice["amount_due"], currency or invoice["currency"], {}, at)
        charge = self.charge(intent, at)
        self._paid_by(invoice, intent, at)
        told = (("charge.succeeded", charge), ("payment_intent.succeeded", intent), ("invoice.paid", invoice))
        return [self.tell(kind, one, at) for kind, one in told]

    def _collected(self, session: Object, at: datetime | None, kind: str) -> list[Object]:
        intent = self.one("payment_intent", session["payment_intent"])
        link = self.one("payment_link", session["payment_link"])
        charge = self.charge(intent, at)
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
        invoice["status_transitions"] = {"paid_at": seconds(at)}
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

    def intent(self, amount: int, currency: str, metadata: Object, at: datetime | None = None, **more: Any) -> Object:
        return self.new(
            "payment_intent",
            amount=amount,
            amount_received=amount,
            currency=currency,
            metadata=dict(metadata),
            status="succeeded",
            latest_charge=None,
            last_payment_error=None,
            created=seconds(at),
            **more,
        )

    def charge(self, intent: Object, at: datetime | None = None) -> Object:
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
            created=seconds(at),
        )
        charge["balance_transaction"] = self.booked("charge", charge, charge["amount"], self.fee, at)["id"]
        intent["latest_charge"] = charge["id"]
        self.objects[intent["id"]] = intent
        return charge

    def _failed(self, intent: Object, message: str) -> Object:
        error = {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "message": message}
        intent |= {"status": "requires_payment_method", "amount_received": 0, "last_payment_error": error}
        self.objects[intent["id"]] = intent
        return intent
