"""Reads of people."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission, Role
from billing_core.identity.models import User, UserSession
from billing_core.settings import settings


@dataclass(frozen=True, slots=True)
class PersonRow:
    """``invited``: has not chosen a password yet."""

    id: int
    name: str
    email: str
    role: Role
    active: bool
    invited: bool
    customer_id: int | None
    last_sign_in_at: datetime | None
    open_sessions: int


def anybody(session: Session) -> bool:
    """Whether the product has been set up at all."""
    return session.scalar(select(User.id).limit(1)) is not None


def people(
    session: Session, actor: Actor, *, text: str = "", now: datetime, limit: int = 100, offset: int = 0
) -> list[PersonRow]:
    """One page of everybody whose name or address contains the text, by name."""
    actor.require(Permission.USER_MANAGE)
    idle_since = now - timedelta(minutes=settings().session_idle_minutes)
    open_sessions = (
        select(func.count())
        .where(
            UserSession.user_id == User.id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            UserSession.last_seen_at > idle_since,
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            User.id,
            User.name,
            User.email,
            User.role,
            User.active,
            User.password_hash.is_(None),
            User.customer_id,
            User.last_sign_in_at,
            open_sessions,
        )
        .where(_containing(text))
        .order_by(func.lower(User.name), User.id)
        .limit(limit)
        .offset(offset)
    )
    return [PersonRow(*row) for row in rows]


def people_count(session: Session, actor: Actor, *, text: str = "") -> int:
    actor.require(Permission.USER_MANAGE)
    return session.scalar(select(func.count()).select_from(User).where(_containing(text))) or 0


def for_change(session: Session, user_id: int) -> User:
    """One user, locked until the transaction ends."""
    user = session.scalars(
        select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if user is None:
        raise NotFound("This person does not exist")
    return user


def administrators_for_change(session: Session) -> list[int]:
    """The ids of those who can administer today, locked in id order.

    Two administrators who demote each other at once wait here for one another; the second sees what the first did.
    """
    return list(
        session.scalars(
            select(User.id)
            .where(User.role == Role.ADMIN, User.active, User.password_hash.is_not(None))
            .order_by(User.id)
            .with_for_update()
        )
    )


def _containing(text: str) -> ColumnElement[bool]:
    return or_(User.name.icontains(text, autoescape=True), User.email.icontains(text, autoescape=True))
