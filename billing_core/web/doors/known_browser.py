"""Browsers in which somebody has signed in before: others who guess the account's password do not keep them out.

The cookie is no credential. It opens nothing without the password, and its own guesses are counted too.
"""

import hmac
import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from billing_core.settings import settings

_NAME: Final = "billing_browser_"
# As long as browsers keep any cookie.
_DAYS: Final = 400


def mark(request: Request, email: str) -> str:
    """By what this browser is counted for this account; empty where nobody has signed in to the account here."""
    nonce, _, signature = request.cookies.get(_name(email), "").partition(".")
    genuine = hmac.compare_digest(signature.encode(), _signature(email, nonce).encode())
    return nonce[:64] if nonce and genuine else ""


def remember(response: Response, email: str) -> None:
    """Mark the browser in which somebody has just signed in."""
    nonce = secrets.token_urlsafe(24)
    value = f"{nonce}.{_signature(email, nonce)}"
    response.set_cookie(_name(email), value, max_age=_DAYS * 24 * 3600, path="/auth", httponly=True, samesite="lax")


def _name(email: str) -> str:
    """One for each account, whose name it does not tell."""
    return _NAME + settings().derived(f"known browser's cookie: {_account(email)}").hex()[:12]


def _signature(email: str, nonce: str) -> str:
    return settings().derived(f"known browser: {_account(email)}: {nonce}").hex()


def _account(email: str) -> str:
    return email.strip().lower()
