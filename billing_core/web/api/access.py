"""Authentication of API requests: every kind of credentials ends in one Caller."""

import enum
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, HTTPException, Request
from sqlalchemy.orm import Session
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import Forbidden
from billing_core.identity import SESSION_COOKIE, Actor, api_keys, bearer, idempotent
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.api_keys import KeyMode
from billing_core.identity.idempotent import Claim
from billing_core.invoices.payment_links import Mode
from billing_core.jobs import outbox_delivery
from billing_core.online_payments import configured
from billing_core.settings import settings
from billing_core.web.access import Reading
from billing_core.web.activity import last_seen, last_used
from billing_core.web.origin import from_trusted_pages

__all__ = ["Caller", "CurrentCaller", "Dialect", "Reading", "Transaction"]

SCOPE_KEY = "billing.caller"
# The claim of a request with an Idempotency-Key.
REPEATABLE_KEY = "billing.idempotent_request"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Dialect(enum.StrEnum):
    """The two forms of /api/v2/: programs get the plain one, the browser front end the envelope."""

    PLAIN = "plain"
    ENVELOPE = "envelope"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and by which credentials. ``limit_key``: whose requests are counted together."""

    actor: Actor
    by: Literal["jwt", "key", "session"]
    limit_key: str
    dialect: Dialect


def find_caller(scope: Scope, *, now: datetime) -> Caller | None:
    """The caller of the request's credentials; None where they are missing or invalid.

    Forbidden where a browser session comes without proof that one of our own pages sent the request.
    """
    headers = Headers(scope=scope)
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, credentials = authorization.partition(" ")
        return _bearer(credentials.strip(), headers, now=now) if scheme.lower() == "bearer" else None
    token = HTTPConnection(scope).cookies.get(SESSION_COOKIE, "")
    return _browser(token, scope["method"], headers, now=now) if token else None


def dialect_of(headers: Headers) -> Dialect:
    """What the Accept header requests, or what the kind of credentials implies."""
    accepted = headers.get("accept", "")
    for dialect in Dialect:
        if f"application/vnd.billing.{dialect}+json" in accepted:
            return dialect
    by_browser = "authorization" not in headers and f"{SESSION_COOKIE}=" in headers.get("cookie", "")
    return Dialect.ENVELOPE if by_browser else Dialect.PLAIN


def csrf_token(session_token: str) -> str:
    """What a page of ours sends back with each change: only one that can read our answers knows it."""
    return settings().derived(f"csrf:{session_token}").hex()


def _bearer(credentials: str, headers: Headers, *, now: datetime) -> Caller | None:
    dialect = dialect_of(headers)
    public_key, colon, secret = credentials.rpartition(":")
    if secret.startswith(("sk_live_", "sk_test_")):
        if colon and not public_key:
            return None
        with runtime.sessions().reading() as reading:
            key = api_keys.find(reading, secret, public_key=public_key, now=now)
        # Test keys are refused where real money moves: a program under test must not ask customers for any.
        if key is None or (key.mode is KeyMode.TEST and configured.mode(settings()) is Mode.LIVE):
            return None
        last_used.note(key.key_id)
        return Caller(key.actor, "key", f"key:{key.key_id}", dialect)
    with runtime.sessions()() as session:
        actor = bearer.actor_for(session, credentials, now=now)
    return Caller(actor, "jwt", f"user:{actor.user_id}", dialect) if actor else None


def _browser(token: str, method: str, headers: Headers, *, now: datetime) -> Caller | None:
    with runtime.sessions()() as session:
        signed_in = browser_sessions.find(session, token, now=now)
    if signed_in is None:
        return None
    if method not in SAFE_METHODS:
        if not from_trusted_pages(headers):
            raise Forbidden("This came from another site's page.")
        if not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), csrf_token(token).encode()):
            raise Forbidden(f"CSRF token missing or incorrect: send the one of /api/v1/auth/csrf as {CSRF_HEADER}.")
    last_seen.note(signed_in.session_id)
    return Caller(signed_in.actor, "session", f"user:{signed_in.actor.user_id}", dialect_of(headers))


def claim_of(request: Request) -> Claim | None:
    """The claim of a request with an Idempotency-Key, for work that is done in transactions of its own."""
    claim = request.scope.get(REPEATABLE_KEY)
    return claim if isinstance(claim, Claim) else None


def caller_of(request: Request) -> Caller:
    """Who calls; HTTPException 401 where nobody was admitted."""
    caller = request.scope.get(SCOPE_KEY)
    if not isinstance(caller, Caller):
        raise HTTPException(401)
    return caller


# Not a plain function, which would run on another thread.
async def _caller(request: Request) -> Caller:
    return caller_of(request)


def _changing(request: Request) -> Iterator[Session]:
    """One transaction, which also records that a request with an Idempotency-Key has done its work."""
    with runtime.sessions().begin() as session:
        yield session
        if (claim := claim_of(request)) is not None:
            idempotent.mark_changed(session, claim, now=utc_now())
    outbox_delivery.nudge()


CurrentCaller = Annotated[Caller, Depends(_caller)]
# scope="function": the transaction ends before the answer leaves, not after it.
Transaction = Annotated[Session, Depends(_changing, scope="function")]
