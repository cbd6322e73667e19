"""Links that work once and for a limited time. Only the newest of a kind works."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from billing_core.errors import NotFound
from billing_core.identity import tokens
from billing_core.identity.models import LinkPurpose, OneTimeLink

LIFETIMES = {
    LinkPurpose.SET_UP: timedelta(days=30),
    LinkPurpose.INVITATION: timedelta(days=7),
    LinkPurpose.PASSWORD_RESET: timedelta(hours=24),
}
PASSWORD_PURPOSES = (LinkPurpose.INVITATION, LinkPurpose.PASSWORD_RESET)


def make(session: Session, purpose: LinkPurpose, *, user_id: int | None = None, now: datetime) -> str:
    """A fresh token; older unused links for the same purpose stop working."""
    withdraw(session, user_id, now=now)
    token = tokens.fresh()
    session.add(
        OneTimeLink(
            purpose=purpose,
            user_id=user_id,
            token_hash=tokens.hashed(token),
            created_at=now,
            expires_at=now + LIFETIMES[purpose],
            used_at=None,
        )
    )
    return token


def withdraw(session: Session, user_id: int | None, *, now: datetime) -> None:
    """Every unused link of this user (None: those of the first set-up) stops working."""
    session.execute(
        update(OneTimeLink)
        .where(
            OneTimeLink.user_id.is_(None) if user_id is None else OneTimeLink.user_id == user_id,
            OneTimeLink.used_at.is_(None),
        )
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )


def find(session: Session, token: str, *purposes: LinkPurpose, now: datetime) -> OneTimeLink:
    """The usable link of a token; NotFound where it is unknown, used, or expired."""
    return _one(session, _usable(token, purposes, now), purposes)


def for_change(session: Session, token: str, *purposes: LinkPurpose, now: datetime) -> OneTimeLink:
    """The same, locked until the end of the transaction, so that of two people only one uses it."""
    return _one(session, _usable(token, purposes, now).with_for_update(), purposes)


def _usable(token: str, purposes: Sequence[LinkPurpose], now: datetime) -> Select[OneTimeLink]:
    return select(OneTimeLink).where(
        OneTimeLink.token_hash == tokens.hashed(token),
        OneTimeLink.purpose.in_(purposes),
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > now,
    )


def _one(session: Session, usable: Select[OneTimeLink], purposes: Sequence[LinkPurpose]) -> OneTimeLink:
    link = session.scalars(usable).one_or_none()
    if link is None:
        # Before the set-up there is no administrator to ask.
        whom = (
            "The terminal shows a new one at each start"
            if LinkPurpose.SET_UP in purposes
            else "Ask an administrator for a new one"
        )
        raise NotFound(f"This link has been used or is too old. {whom}.")
    return link
