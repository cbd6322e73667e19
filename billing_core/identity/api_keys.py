"""API keys of programs: a random secret that is shown once, of which only the hash is stored.

A key has a role and its permissions, and may be bound to one customer, as people are. It ends when it is revoked or
expires. After a rotation the former secret works for a while longer, so that programs can be moved over one by one.
"""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, bindparam, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing_core.database import Base
from billing_core.database.engine import Reads
from billing_core.identity import tokens
from billing_core.identity.permissions import Actor, Role, actor_with


class KeyMode(enum.StrEnum):
    """What the secret begins with: ``sk_live_`` or ``sk_test_``."""

    LIVE = "live"
    TEST = "test"


class ApiKey(Base):
    """``public_key`` names the key and is not secret. ``secret_end``: the secret's last characters, for recognition."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("ix_api_keys_former_hash", "former_hash"),
        CheckConstraint("(former_hash IS NULL) = (former_until IS NULL)", name="former_is_whole"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    mode: Mapped[KeyMode]
    public_key: Mapped[str] = mapped_column(String(64), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    secret_end: Mapped[str] = mapped_column(String(8))
    former_hash: Mapped[str | None] = mapped_column(String(64))
    former_until: Mapped[datetime | None]
    role: Mapped[Role]
    # No foreign key: identity does not depend on customers. NULL: not bound to one customer.
    customer_id: Mapped[int | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None]
    created_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime | None]
    rotated_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """A valid key and the actor it stands for."""

    key_id: int
    actor: Actor
    mode: KeyMode


_FOUND = (
    ApiKey.id,
    ApiKey.name,
    ApiKey.mode,
    ApiKey.public_key,
    ApiKey.secret_hash,
    ApiKey.former_until,
    ApiKey.role,
    ApiKey.customer_id,
    ApiKey.expires_at,
)
# Built once: building a statement takes as long as running it, and every request of a program needs it.
_BY_SECRET = select(*_FOUND).where(
    or_(ApiKey.secret_hash == bindparam("hash"), ApiKey.former_hash == bindparam("hash")), ApiKey.revoked_at.is_(None)
)


def find(reading: Reads, secret: str, *, public_key: str = "", now: datetime) -> KeyInUse | None:
    """The valid key with this secret. With ``public_key`` both must belong together. Reads only."""
    secret_hash = tokens.hashed(secret)
    row = reading.execute(_BY_SECRET, {"hash": secret_hash}).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.secret_hash != secret_hash and row.former_until <= now:
        return None
    if public_key and row.public_key != public_key:
        return None
    actor = actor_with(row.role, user_id=None, name=f"key {row.name}", customer_id=row.customer_id)
    return KeyInUse(row.id, actor, row.mode)


def used(session: Session, key_ids: Collection[int], *, now: datetime) -> None:
    """Record that these keys are in use."""
    session.execute(
        update(ApiKey)
        .where(ApiKey.id.in_(key_ids))
        .values(last_used_at=now)
        .execution_options(synchronize_session=False)
    )
