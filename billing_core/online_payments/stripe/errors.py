"""Stripe's errors in words that an admin understands, with Stripe's request id, and never a key."""

import re
from typing import Final

import stripe

from billing_core.errors import UpstreamFailed
from billing_core.online_payments.gateway import Declined

_KEYS: Final = re.compile(r"\b(?:sk|rk|pk|whsec)_[A-Za-z0-9_*]+")


def in_our_words(error: stripe.StripeError, key: str) -> UpstreamFailed:
    """``Declined`` where the same request would be refused again; otherwise a retry is safe and may help."""
    kind, text = _described(error)
    text = _KEYS.sub("…", text.replace(key, "…"))[:400]
    return kind(f"{text} (Stripe's request {error.request_id})" if error.request_id else text)


def _described(error: stripe.StripeError) -> tuple[type[UpstreamFailed], str]:
    message = (error.user_message or "").strip() or "no reason given"
    match error:
        case stripe.APIConnectionError():
            return UpstreamFailed, "Stripe cannot be reached or takes too long. Nothing is lost; try again in a minute"
        case stripe.RateLimitError():
            return UpstreamFailed, "Stripe gets too many requests from this account just now. Try again in a minute"
        case stripe.AuthenticationError():
            return (
                UpstreamFailed,
                "Stripe does not know the secret key: check STRIPE_SECRET_KEY, and that it was not rolled",
            )
        case stripe.PermissionError():
            return Declined, f"The secret key may not do this at Stripe: {message}"
        case stripe.IdempotencyError():
            return Declined, "Stripe had this request before with other contents. Start again"
        case stripe.CardError():
            return Declined, f"The card was refused: {message}"
        case stripe.InvalidRequestError():
            return Declined, f"Stripe refuses this: {message}"
        case _ if error.http_status == 409:
            return UpstreamFailed, "Stripe is still at work on the same request. Try again in a minute"
        case _ if error.http_status is not None and 400 <= error.http_status < 500 and error.error is not None:
            return Declined, f"Stripe refuses this: {message}"
    return UpstreamFailed, "Stripe has a problem of its own. Nothing is lost; try again in a minute"
