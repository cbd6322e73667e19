"""Verifies that an event is from Stripe and recent, over the bytes exactly as received."""

import json
from datetime import datetime
from typing import Any, Final

from stripe import SignatureVerificationError, WebhookSignature

from billing_core.errors import Invalid

# In seconds, as in Stripe's own library: an older event may be a replay.
TOLERANCE: Final = 300


def verify(payload: bytes, header: str | None, secret: str) -> dict[str, Any]:
    """The event in ``payload``. Invalid with one word, the reason: missing, wrong, old or malformed."""
    if not header:
        raise Invalid("missing")
    if not (header.isascii() and "t=" in header and "v1=" in header):
        raise Invalid("malformed")
    try:
        WebhookSignature.verify_header(payload, header, secret)
    except UnicodeDecodeError as error:
        raise Invalid("malformed") from error
    except SignatureVerificationError as error:
        raise Invalid("wrong") from error
    try:
        WebhookSignature.verify_header(payload, header, secret, TOLERANCE)
    except SignatureVerificationError as error:
        raise Invalid("old") from error
    return _event(payload)


def signed(payload: bytes, secret: str, at: datetime) -> str:
    """The ``Stripe-Signature`` header of our own sandbox's events."""
    header: str = WebhookSignature.generate_signature_header(payload.decode(), secret, int(at.timestamp()))
    return header


def _event(payload: bytes) -> dict[str, Any]:
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Invalid("malformed") from error
    if not (isinstance(event, dict) and isinstance(event.get("id"), str) and isinstance(event.get("type"), str)):
        raise Invalid("malformed")
    return event
