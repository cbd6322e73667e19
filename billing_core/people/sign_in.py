"""Signing in and out, and choosing a password by a one-time link.

A password takes tens of milliseconds to compare or to hash. To block nobody it is checked while reading, and the change
that follows is refused if the account has changed meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.email_addresses import is_email_address
from billing_core.errors import Conflict
from billing_core.identity import Actor, Role, actor_with, bearer, links, passwords, sessions
from billing_core.identity.models import LinkPurpose, User
from billing_core.identity.sessions import Browser
from billing_core.people import queries, service


@dataclass(frozen=True, slots=True)
class Verified:
    """An account whose password was just verified. ``newer_hash``: store it instead of ``password_hash``."""

    user_id: int
    password_hash: str
    newer_hash: str | None


@dataclass(frozen=True, slots=True)
class Invited:
    """The person whose password a one-time link sets."""

    name: str
    email: str
    first_time: bool


def verify(session: Session, *, email: str, password: str) -> Verified | None:
    """The account, if it may sign in with this password. Takes equally long where it may not."""
    address = email.strip().lower()
    account = select(User.id, User.password_hash).where(User.email == address, User.active)
    row = session.execute(account).one_or_none() if is_email_address(address) else None
    user_id, stored = row or (0, None)
    right, newer = passwords.matches(password, stored)
    return Verified(user_id, stored, newer) if right and stored else None


def sign_in(session: Session, verified: Verified, *, browser: Browser, replaces: str = "", now: datetime) -> str:
    """Start a session with a new token; the one that this browser had before ends."""
    return _start(session, _unchanged(session, verified), browser=browser, replaces=replaces, now=now)


def token(session: Session, verified: Verified, *, address: str, now: datetime) -> str:
    """A token with which a program acts as this person for a while."""
    user = _unchanged(session, verified)
    user.last_sign_in_at = now
    after = {"address": address[:64]}
    audit.record(session, _as_actor(user), "user.token", ("user", user.id), label=user.name, after=after, now=now)
    assert user.password_hash is not None  # noqa: S101  # it has just been compared
    return bearer.create(user.id, user.password_hash, now=now)


def sign_out(session: Session, token: str, *, now: datetime) -> None:
    """End this browser's session; harmless where it has ended already."""
    actor = sessions.actor_for(session, token, now=now)
    sessions.end(session, token, now=now)
    if actor is not None:
        audit.record(session, actor, "user.sign_out", ("user", actor.user_id), label=actor.name, now=now)


def invited(session: Session, token: str, *, now: datetime) -> Invited:
    """The person who may choose a password with this link; NotFound where it does not work any more."""
    link = links.find(session, token, *links.PASSWORD_PURPOSES, now=now)
    name, email = session.execute(select(User.name, User.email).where(User.id == link.user_id)).one()
    return Invited(name, email, first_time=link.purpose is LinkPurpose.INVITATION)


def choose_password(
    session: Session, token: str, *, password_hash: str, browser: Browser, replaces: str = "", now: datetime
) -> str:
    """Use the link up, store the password, end every other session, and sign this browser in."""
    link = links.for_change(session, token, *links.PASSWORD_PURPOSES, now=now)
    assert link.user_id is not None  # noqa: S101  # links with these purposes always name their user
    user = queries.for_change(session, link.user_id)
    if not user.active:
        raise Conflict("This account is deactivated. Ask an administrator.")
    links.withdraw(session, user.id, now=now)
    user.password_hash = password_hash
    ended = sessions.end_all(session, user.id, now=now)
    audit.record(
        session,
        _as_actor(user),
        "user.choose_password",
        ("user", user.id),
        label=user.name,
        after={"by": link.purpose.value, "sessions_ended": ended},
        now=now,
    )
    return _start(session, user, browser=browser, replaces=replaces, now=now)


def first_administrator(
    session: Session, token: str, *, email: str, name: str, password_hash: str, browser: Browser, now: datetime
) -> tuple[Actor, str]:
    """Creates the first administrator, who has the link from the terminal; also returns their session's token."""
    link = links.for_change(session, token, LinkPurpose.SET_UP, now=now)
    if queries.anybody(session):
        raise Conflict("The product has been set up already. Sign in.")
    link.used_at = now
    user = service.add_person(
        session,
        _SET_UP,
        email=email,
        name=name,
        role=Role.ADMIN,
        password_hash=password_hash,
        now=now,
    )
    return _as_actor(user), _start(session, user, browser=browser, replaces="", now=now)


_SET_UP = actor_with(Role.ADMIN, user_id=None, name="first set-up")


def _unchanged(session: Session, verified: Verified) -> User:
    user = queries.for_change(session, verified.user_id)
    if not user.active or user.password_hash != verified.password_hash:
        raise Conflict("This account has just been changed. Sign in again.")
    if verified.newer_hash:
        user.password_hash = verified.newer_hash
    return user


def _start(session: Session, user: User, *, browser: Browser, replaces: str, now: datetime) -> str:
    user.last_sign_in_at = now
    audit.record(
        session,
        _as_actor(user),
        "user.sign_in",
        ("user", user.id),
        label=user.name,
        after={"address": browser.address[:64]},
        now=now,
    )
    return sessions.start(session, user.id, browser=browser, replaces=replaces, now=now)


def _as_actor(user: User) -> Actor:
    return actor_with(user.role, user_id=user.id, name=user.name, customer_id=user.customer_id)
