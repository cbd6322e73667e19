"""Cards that Stripe keeps for a customer, and charges to them without the customer.

A charge carries our key twice: as Stripe's idempotency key, which it forgets after a day, and in the metadata, by which
we find it after that.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

import stripe

from billing_core.errors import UpstreamFailed
from billing_core.online_payments import declines
from billing_core.online_payments.gateway import (
    AttachedMethod,
    Charged,
    ChargeOutcome,
    Declined,
    GatewayCustomer,
    OffSessionCharge,
)
from billing_core.online_payments.stripe import intents, payment_pages
from billing_core.online_payments.stripe.answers import field, id_of

# Stripe keeps idempotency keys for a day at least; our clocks may differ.
_KEY_HOLDS: Final = timedelta(hours=12)
_CLOCKS: Final = timedelta(minutes=10)
_PAGE: Final = 100


def attach(api: stripe.StripeClient, customer: GatewayCustomer, method_id: str, key: str) -> AttachedMethod:
    customer_id = customer.gateway_id or known_as(api, customer)
    try:
        method = api.v1.payment_methods.attach(method_id, {"customer": customer_id}, {"idempotency_key": key})
    except stripe.InvalidRequestError:
        # A card that the customer has entered on Stripe's own page is theirs already.
        method = api.v1.payment_methods.retrieve(method_id)
        if id_of(method.customer) != customer_id:
            raise
    card = field(method, "card")
    if card is None:
        api.v1.payment_methods.detach(method.id)
        raise Declined("Only cards can be charged without the customer")
    return AttachedMethod(customer_id, method.id, card.brand, card.last4, card.exp_month, card.exp_year)


def set_up(api: stripe.StripeClient, customer: GatewayCustomer, return_url: str, key: str) -> str:
    """Stripe's page for one card. It expires after a day, like the key, and another is made then."""
    customer_id = customer.gateway_id or known_as(api, customer)
    session = api.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "customer": customer_id,
            "allowed_payment_method_types": ["card"],
            "success_url": return_url,
            "setup_intent_data": {"metadata": {"request_id": key}},
        },
        {"idempotency_key": f"{key}_{customer_id}"},
    )
    if session.url is None:
        raise UpstreamFailed("Stripe made no page for the card")
    return session.url


def known_as(api: stripe.StripeClient, customer: GatewayCustomer) -> str:
    """Stripe's customer for ours. Its key holds what is sent: another name makes another request."""
    sent = hashlib.sha256(f"{customer.name}\n{customer.email}".encode()).hexdigest()[:16]
    params: stripe.params.CustomerCreateParams = {"metadata": {"customer_id": customer.public_id}}
    if customer.name:
        params["name"] = customer.name
    if customer.email:
        params["email"] = customer.email
    return api.v1.customers.create(params, {"idempotency_key": f"{customer.public_id}_{sent}"}).id


def detach(api: stripe.StripeClient, gateway_id: str, key: str) -> None:
    try:
        api.v1.payment_methods.detach(gateway_id, {}, {"idempotency_key": key})
    except stripe.InvalidRequestError:
        if api.v1.payment_methods.retrieve(gateway_id).customer is not None:
            raise


def charge(api: stripe.StripeClient, asked: OffSessionCharge, key: str, *, now: datetime) -> Charged:
    amount = payment_pages.amount_of(asked.amount_minor, asked.currency)
    intent = _made_before(api, asked) if now > asked.started_at + _KEY_HOLDS else None
    if intent is None:
        try:
            intent = api.v1.payment_intents.create(
                {
                    "amount": amount,
                    "currency": asked.currency.lower(),
                    "customer": asked.gateway_customer_id,
                    "payment_method": asked.gateway_method_id,
                    "allowed_payment_method_types": ["card"],
                    "off_session": True,
                    "confirm": True,
                    "description": asked.description,
                    "metadata": {"invoice_id": asked.invoice_id, "attempt_id": asked.attempt_id},
                    "expand": list(intents.EXPANDED),
                },
                {"idempotency_key": key},
            )
        except stripe.CardError as error:
            intent_id = id_of(field(error.error, "payment_intent"))
            return _declined(intent_id, error.error)
    return _charged(intent)


def _made_before(api: stripe.StripeClient, asked: OffSessionCharge) -> stripe.PaymentIntent | None:
    """The intent that this charge made before, however long ago."""
    made = api.v1.payment_intents.list(
        {
            "customer": asked.gateway_customer_id,
            "created": {"gte": int((asked.started_at - _CLOCKS).timestamp())},
            "limit": _PAGE,
            "expand": [f"data.{name}" for name in intents.EXPANDED],
        }
    )
    return next((one for one in made.auto_paging_iter() if field(one.metadata, "attempt_id") == asked.attempt_id), None)


def _charged(intent: stripe.PaymentIntent) -> Charged:
    match intent.status:
        case "succeeded":
            known = intents.details_of(intent)
            return Charged(ChargeOutcome.SUCCEEDED, intent.id, known.charge_id, known.fee_minor)
        case "requires_action":
            code = declines.AUTHENTICATION_REQUIRED
            return Charged(ChargeOutcome.AUTHENTICATION, intent.id, decline_code=code, message=_AUTHENTICATE)
        case "requires_payment_method" | "canceled":
            return _declined(intent.id, intent.last_payment_error)
    raise UpstreamFailed(f"Stripe has not decided about this charge yet ({intent.status})")


_AUTHENTICATE: Final = "The bank wants the cardholder to authenticate the payment"


def _declined(intent_id: str | None, error: stripe.StripeObject | None) -> Charged:
    code, decline_code = field(error, "code") or "", field(error, "decline_code") or ""
    return Charged(
        declines.outcome(code, decline_code),
        intent_id,
        decline_code=decline_code or code,
        message=declines.reason(field(error, "message") or "", decline_code),
        hard=declines.is_hard(decline_code or code),
    )
