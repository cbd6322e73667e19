"""Signatures of our messages, made as Stripe makes its own, so that receivers' libraries work."""

import hashlib
import hmac
from datetime import datetime
from typing import Final

HEADER: Final = "Billing-Signature"


def secret_of(signing_key: str, public_id: str, turn: int) -> str:
    """An endpoint's signing secret, derived from the product's own key: nothing of it is stored."""
    # The prefix is part of the derivation: another one would change every secret in use.
    made = hmac.new(signing_key.encode(), f"subscriber:{public_id}:{turn}".encode(), hashlib.sha256)
    return f"whsec_{made.hexdigest()}"


def signature(payload: bytes, secret: str, at: datetime) -> str:
    """The header's value: ``t=<seconds>,v1=<HMAC-SHA256 of "<seconds>.<payload>">``."""
    seconds = int(at.timestamp())
    made = hmac.new(secret.encode(), f"{seconds}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={made}"
