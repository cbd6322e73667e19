"""Bearer tokens of people's programs: signed, valid for 15 minutes, with the person's role as of each request.

Each month has its own signing key, derived from the product's secret; a token names its month. A token ends early when
its person is deactivated or changes the password.
"""

import hmac
import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jws import extract_compact
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.identity.models import User
from billing_core.identity.permissions import Actor, actor_with
from billing_core.settings import settings

LIFETIME = timedelta(minutes=15)
_ALGORITHM = "HS256"
_ISSUER = "billing"
# Far longer than any of ours; longer texts are not even parsed.
_LONGEST = 2_000


def create(user_id: int, password_hash: str, *, now: datetime) -> str:
    """A token with which requests act as this person for ``LIFETIME``."""
    claims = {
        "iss": _ISSUER,
        "sub": str(user_id),
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
        "pwd": _fingerprint(password_hash),
    }
    return _signed({"alg": _ALGORITHM, "kid": _month(now)}, claims)


def unsigned(token: str) -> str:
    """A token's content without its signature: safe to store."""
    return token.rpartition(".")[0]


def signed_again(token: str, password_hash: str) -> str | None:
    """The same token, character for character; None where its person has another password since."""
    header, claims = (json.loads(urlsafe_b64decode(f"{part}==")) for part in token.split("."))
    if not hmac.compare_digest(_fingerprint(password_hash), claims["pwd"]):
        return None
    return _signed(header, claims)


def actor_for(session: Session, token: str, *, now: datetime) -> Actor | None:
    """The token's actor; None where it is not ours, has expired, or its person may not sign in any more."""
    claims = _claims(token, now=now)
    if claims is None:
        return None
    user_id, fingerprint = claims
    row = session.execute(
        select(User.name, User.role, User.customer_id, User.password_hash).where(User.id == user_id, User.active)
    ).one_or_none()
    if row is None or not hmac.compare_digest(_fingerprint(row.password_hash or ""), fingerprint):
        return None
    return actor_with(row.role, user_id=user_id, name=row.name, customer_id=row.customer_id)


def _claims(token: str, *, now: datetime) -> tuple[int, str] | None:
    """The token's user and the fingerprint of their password at its creation."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        month = extract_compact(token.encode()).headers().get("kid")
        # The previous month's key, while its tokens may still be valid.
        if month not in (_month(now), _month(now - LIFETIME)):
            return None
        claims = jwt.decode(token, _signing_key(month), algorithms=[_ALGORITHM]).claims
        live = claims["iss"] == _ISSUER and claims["iat"] <= now.timestamp() + 60 and now.timestamp() < claims["exp"]
        return (int(claims["sub"]), str(claims["pwd"])) if live else None
    except (JoseError, ValueError, KeyError, TypeError):
        return None


def _signed(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return jwt.encode(header, claims, _signing_key(header["kid"]), algorithms=[_ALGORITHM])


def _month(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m")


def _signing_key(month: str) -> OctKey:
    return OctKey.import_key(settings().derived(f"bearer tokens of {month}"))


def _fingerprint(password_hash: str) -> str:
    """Distinguishes passwords without revealing anything about them."""
    return settings().derived(f"password {password_hash}").hex()[:32]
