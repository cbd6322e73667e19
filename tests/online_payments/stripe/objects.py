"""The objects of the stand-in for Stripe, the events about them, and the lines of its own books.

Objects are as Stripe shapes them in the pinned API version; a field that the library's classes do not know fails.
"""

import itertools
import time
from datetime import datetime
from typing import Any

import stripe
from stripe import checkout

from billing_core.online_payments.stripe.gateway import API_VERSION

Object = dict[str, Any]

_CLASSES: dict[str, type] = {
    "payment_link": stripe.PaymentLink,
    "checkout.session": checkout.Session,
    "customer": stripe.Customer,
    "invoice": stripe.Invoice,
    "invoiceitem": stripe.InvoiceItem,
    "invoice_payment": stripe.InvoicePayment,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "setup_intent": stripe.SetupIntent,
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
    "payment_method": "pm",
    "setup_intent": "seti",
    "charge": "ch",
    "refund": "re",
    "dispute": "dp",
    "balance_transaction": "txn",
    "event": "evt",
}


class Refused(Exception):
    """What Stripe answers with status 400, or another. ``more``: what else the error says."""

    def __init__(
        self, message: str, *, status: int = 400, code: str = "", kind: str = "invalid_request_error", **more: Any
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.code, self.kind, self.more = message, status, code, kind, more


class Objects:
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

    def tell(self, kind: str, about: Object, at: datetime | None = None) -> Object:
        """Another event, with the object as it is now."""
        event = self.new(
            "event",
            type=kind,
            api_version=API_VERSION,
            created=seconds(at),
            data={"object": _copy(about)},
            pending_webhooks=1,
            request={"id": None, "idempotency_key": None},
        )
        self.events.append(event)
        return event

    def booked(self, kind: str, source: Object, amount: int, fee: int, at: datetime | None) -> Object:
        return self.new(
            "balance_transaction",
            type=kind,
            source=source["id"],
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency=source["currency"],
            created=seconds(at),
            description=None,
            status="available",
            reporting_category=kind,
            available_on=seconds(at),
        )


def seconds(at: datetime | None) -> int:
    return int(time.time() if at is None else at.timestamp())


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value
