"""What an administrator does about the API keys of programs."""

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers.models import Customer
from billing_core.database.functions import mentions
from billing_core.database.ordering import natural
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission, Role, tokens
from billing_core.identity.api_keys import ApiKey, KeyMode
from billing_core.text import control_character

LONGEST_NAME = 100
# How long the former secret may keep working after a rotation.
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Secret:
    """What is shown once. ``pair`` is the form for programs that want both keys."""

    key_id: int
    name: str
    public_key: str
    secret_key: str

    @property
    def pair(self) -> str:
        return f"{self.public_key}:{self.secret_key}"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """``secret_end``: the secret's last characters. ``customer``: the only one it sees; empty where it sees all."""

    id: int
    name: str
    mode: KeyMode
    public_key: str
    secret_end: str
    role: Role
    customer: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    rotated_at: datetime | None
    former_until: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def end_of(day: date) -> datetime:
    """The instant (UTC) at which a key with this last day ends."""
    try:
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    except OverflowError:
        raise Invalid("A key cannot last that long", fields={"expires_at": "is too late"}) from None


def make(
    session: Session,
    actor: Actor,
    *,
    name: str,
    role: Role,
    customer_id: int | None = None,
    mode: KeyMode = KeyMode.LIVE,
    expires_at: datetime | None = None,
    now: datetime,
) -> Secret:
    """A new key. Invalid names the fields ``name``, ``customer`` and ``expires_at``."""
    actor.require(Permission.USER_MANAGE)
    known_as = " ".join(name.split())
    reasons: dict[str, str] = {}
    if not known_as or len(known_as) > LONGEST_NAME or control_character(known_as):
        reasons["name"] = f"is needed, with at most {LONGEST_NAME} letters, signs and blanks"
    if role is Role.ADMIN and customer_id is not None:
        reasons["customer"] = "must be empty for an administrator's key"
    elif customer_id is not None and session.get(Customer, customer_id) is None:
        reasons["customer"] = "does not exist"
    if expires_at is not None and expires_at <= now:
        reasons["expires_at"] = "must be in the future"
    if reasons:
        raise Invalid("The key cannot be made like this", fields=reasons)
    secret = _fresh(mode)
    key = ApiKey(
        name=known_as,
        mode=mode,
        public_key=f"pk_{mode}_{secrets.token_hex(12)}",
        secret_hash=tokens.hashed(secret),
        secret_end=secret[-4:],
        former_hash=None,
        former_until=None,
        role=role,
        customer_id=customer_id,
        created_at=now,
        created_by_id=actor.user_id,
        created_by=actor.name,
        expires_at=expires_at,
        rotated_at=None,
        revoked_at=None,
        last_used_at=None,
    )
    session.add(key)
    session.flush()
    after = {
        "public_key": key.public_key,
        "role": role.value,
        "customer_id": customer_id,
        "expires_at": expires_at,
    }
    audit.record(session, actor, "key.create", ("key", key.id), label=known_as, after=after, now=now)
    return Secret(key.id, known_as, key.public_key, secret)


def rotate(
    session: Session, actor: Actor, key_id: int, *, overlap: timedelta = timedelta(hours=24), now: datetime
) -> Secret:
    """A new secret for the key. The former one works for ``overlap`` longer; an even older one stops at once."""
    actor.require(Permission.USER_MANAGE)
    key = _for_change(session, key_id)
    if key.revoked_at is not None:
        raise Conflict("This key has been revoked. Make a new one.")
    if key.expires_at is not None and key.expires_at <= now:
        raise Conflict("This key has expired. Make a new one.")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid(
            "The former secret cannot work for that long",
            fields={"overlap": f"is from none to {LONGEST_OVERLAP.days} days"},
        )
    secret = _fresh(key.mode)
    key.former_hash, key.former_until = (key.secret_hash, now + overlap) if overlap else (None, None)
    key.secret_hash, key.secret_end, key.rotated_at = tokens.hashed(secret), secret[-4:], now
    after = {"former_until": key.former_until}
    audit.record(session, actor, "key.rotate", ("key", key.id), label=key.name, after=after, now=now)
    return Secret(key.id, key.name, key.public_key, secret)


def revoke(session: Session, actor: Actor, key_id: int, *, now: datetime) -> None:
    """The key stops working with the next request. What it did stays."""
    actor.require(Permission.USER_MANAGE)
    key = _for_change(session, key_id)
    if key.revoked_at is None:
        key.revoked_at, key.former_hash, key.former_until = now, None, None
        audit.record(session, actor, "key.revoke", ("key", key.id), label=key.name, now=now)


def page(session: Session, actor: Actor, *, text: str = "", limit: int = 100, offset: int = 0) -> list[KeyRow]:
    """One page of the keys whose name or public key contains the text: valid ones first, by name."""
    actor.require(Permission.USER_MANAGE)
    order = (ApiKey.revoked_at.is_not(None), natural(ApiKey.name), ApiKey.id)
    rows = session.execute(_rows().where(_containing(text)).order_by(*order).limit(limit).offset(offset))
    return [KeyRow(*row) for row in rows]


def count(session: Session, actor: Actor, *, text: str = "") -> int:
    actor.require(Permission.USER_MANAGE)
    return session.scalar(select(func.count()).select_from(ApiKey).where(_containing(text))) or 0


def one(session: Session, actor: Actor, key_id: int) -> KeyRow:
    actor.require(Permission.USER_MANAGE)
    row = session.execute(_rows().where(ApiKey.id == key_id)).one_or_none()
    if row is None:
        raise NotFound("This key does not exist")
    return KeyRow(*row)


def _fresh(mode: KeyMode) -> str:
    return f"sk_{mode}_{tokens.fresh()}"


def _for_change(session: Session, key_id: int) -> ApiKey:
    key = session.scalars(
        select(ApiKey).where(ApiKey.id == key_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if key is None:
        raise NotFound("This key does not exist")
    return key


def _containing(text: str) -> ColumnElement[bool]:
    return mentions(text, ApiKey.name, ApiKey.public_key)


def _rows() -> Select[*tuple[Any, ...]]:
    return select(
        ApiKey.id,
        ApiKey.name,
        ApiKey.mode,
        ApiKey.public_key,
        ApiKey.secret_end,
        ApiKey.role,
        func.coalesce(Customer.name, ""),
        ApiKey.created_at,
        ApiKey.created_by,
        ApiKey.expires_at,
        ApiKey.rotated_at,
        ApiKey.former_until,
        ApiKey.revoked_at,
        ApiKey.last_used_at,
    ).outerjoin(Customer, Customer.id == ApiKey.customer_id)
