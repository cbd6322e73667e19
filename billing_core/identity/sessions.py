"""Signed-in browsers: a random token in a cookie, of which only the hash is stored.

A session ends when it is revoked, unused for too long, or too old, and with its user's account.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, ColumnElement, bindparam, select, update
from sqlalchemy.orm import Session

from billing_core.identity import tokens
from billing_core.identity.models import User, UserSession
from billing_core.identity.permissions import Actor, Role, actor_with
from billing_core.settings import settings


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser's valid session and its user."""

    session_id: int
    actor: Actor
    role: Role
    email: str


@dataclass(frozen=True, slots=True)
class Browser:
    """The origin of a sign-in, to recognise it in the list of sessions."""

    address: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class SessionRow:
    id: int
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str
    user_agent: str


def find(session: Session, token: str, *, now: datetime) -> SignedIn | None:
    """The valid session of this token. Reads only."""
    if not token:
        return None
    facts = {"token_hash": tokens.hashed(token), "now": now, "idle_since": _idle_since(now)}
    row = session.execute(_FOUND, facts).one_or_none()
    if row is None:
        return None
    session_id, user_id, name, email, role, customer_id = row
    return SignedIn(session_id, actor_with(role, user_id=user_id, name=name, customer_id=customer_id), role, email)


def actor_for(session: Session, token: str, *, now: datetime) -> Actor | None:
    """The actor of a browser's token, or None."""
    signed_in = find(session, token, now=now)
    return signed_in.actor if signed_in else None


def start(session: Session, user_id: int, *, browser: Browser, replaces: str = "", now: datetime) -> str:
    """Sign a browser in; returns the new token, which is never stored. Ends the session that it ``replaces``."""
    end(session, replaces, now=now)
    token = tokens.fresh()
    session.add(
        UserSession(
            user_id=user_id,
            token_hash=tokens.hashed(token),
            created_at=now,
            last_seen_at=now,
            expires_at=now + timedelta(hours=settings().session_max_hours),
            revoked_at=None,
            address=browser.address[:64],
            user_agent=browser.user_agent[:300],
        )
    )
    return token


def end(session: Session, token: str, *, now: datetime) -> None:
    """Revoke the session of this token, if there is one."""
    if token:
        _revoke(session, UserSession.token_hash == tokens.hashed(token), now=now)


def end_one(session: Session, user_id: int, session_id: int, *, now: datetime) -> bool:
    """Revoke one of a user's sessions. Returns whether it was open."""
    return _revoke(session, UserSession.user_id == user_id, UserSession.id == session_id, now=now) > 0


def end_all(session: Session, user_id: int, *, now: datetime) -> int:
    """Revoke every session of a user. Returns how many were open."""
    return _revoke(session, UserSession.user_id == user_id, now=now)


def seen(session: Session, session_ids: Collection[int], *, now: datetime) -> None:
    """Record that these sessions are in use."""
    session.execute(
        update(UserSession)
        .where(UserSession.id.in_(session_ids), UserSession.last_seen_at < now)
        .values(last_seen_at=now)
        .execution_options(synchronize_session=False)
    )


def open_sessions(session: Session, user_id: int, *, now: datetime, limit: int = 100) -> list[SessionRow]:
    """A user's live sessions, the most recently used first."""
    rows = session.execute(
        select(
            UserSession.id,
            UserSession.created_at,
            UserSession.last_seen_at,
            UserSession.expires_at,
            UserSession.address,
            UserSession.user_agent,
        )
        .where(UserSession.user_id == user_id, live(now))
        .order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())
        .limit(limit)
    )
    return [SessionRow(*row) for row in rows]


def live(now: datetime) -> ColumnElement[bool]:
    """In SQL: the session has neither been revoked nor expired, and was used lately."""
    return _live(now, _idle_since(now))


def _idle_since(now: datetime) -> datetime:
    return now - timedelta(minutes=settings().session_idle_minutes)


def _live(
    now: datetime | BindParameter[datetime], idle_since: datetime | BindParameter[datetime]
) -> ColumnElement[bool]:
    return (UserSession.revoked_at.is_(None)) & (UserSession.expires_at > now) & (UserSession.last_seen_at > idle_since)


# Asked with every click and every request: to build it takes as long as to ask it.
_FOUND = (
    select(UserSession.id, User.id, User.name, User.email, User.role, User.customer_id)
    .join(User, User.id == UserSession.user_id)
    .where(
        UserSession.token_hash == bindparam("token_hash"),
        User.active,
        _live(bindparam("now"), bindparam("idle_since")),
    )
)


def _revoke(session: Session, *which: ColumnElement[bool], now: datetime) -> int:
    result = session.execute(
        update(UserSession)
        .where(UserSession.revoked_at.is_(None), *which)
        .values(revoked_at=now)
        .returning(UserSession.id)
        .execution_options(synchronize_session=False)
    )
    return len(result.all())
