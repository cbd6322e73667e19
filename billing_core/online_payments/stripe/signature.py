"""Verifies that an event is from Stripe and recent, over the bytes exactly as received."""

import json
import re
import time
from datetime import datetime
from typing import Any, Final

from stripe import SignatureVerificationError, WebhookSignature

from billing_core.errors import Invalid

# In seconds, as in Stripe's own library: an older event may be a replay. That library takes one from the future, which
# could be replayed until then.
TOLERANCE: Final = 300
# Deeper than any event of Stripe's.
DEEPEST: Final = 50
_TIME: Final = re.compile(r"(?:^|,)t=([0-9]{1,12})(?=,|$)")


def verify(payload: bytes, header: str | None, secret: str) -> dict[str, Any]:
    """The event in ``payload``. Invalid with one word, the reason: missing, wrong, old, early or malformed."""
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
    times = _TIME.findall(header)
    if len(times) != 1:
        raise Invalid("malformed")
    if int(times[0]) > time.time() + TOLERANCE:
        raise Invalid("early")
    return _event(payload)


def signed(payload: bytes, secret: str, at: datetime) -> str:
    """The ``Stripe-Signature`` header of our own sandbox's events."""
    header: str = WebhookSignature.generate_signature_header(payload.decode(), secret, int(at.timestamp()))
    return header


def _event(payload: bytes) -> dict[str, Any]:
    try:
        # As text: of bytes, Python would also read other encodings than JSON's own.
        event = json.loads(payload.decode(), object_pairs_hook=_named_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Invalid("malformed") from error
    if not (isinstance(event, dict) and isinstance(event.get("id"), str) and isinstance(event.get("type"), str)):
        raise Invalid("malformed")
    if _is_deep(event):
        raise Invalid("malformed")
    return event


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two values counts, each reader would decide for itself."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is there twice")
    return fields


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _is_deep(event: dict[str, Any]) -> bool:
    level: list[Any] = [event]
    for _ in range(DEEPEST):
        level = [one for thing in level for one in (thing.values() if isinstance(thing, dict) else thing)]
        level = [one for one in level if isinstance(one, dict | list)]
        if not level:
            return False
    return True
