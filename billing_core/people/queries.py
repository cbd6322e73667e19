"""Reads of people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.database.functions import mentions
from billing_core.database.ordering import natural
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission, Role, sessions
from billing_core.identity.models import User, UserSession
from billing_core.identity.sessions import SessionRow


@dataclass(frozen=True, slots=True)
class PersonRow:
    """``invited``: has not chosen a password yet. ``customer``: the only one they see; empty where they see all."""

    id: int
    name: str
    email: str
    role: Role
    active: bool
    invited: bool
    customer: str
    last_sign_in_at: datetime | None
    open_sessions: int


def anybody(session: Session) -> bool:
    """Whether the product has been set up."""
    return session.scalar(select(User.id).limit(1)) is not None


def people(
    session: Session, actor: Actor, *, text: str = "", now: datetime, limit: int = 100, offset: int = 0
) -> list[PersonRow]:
    """One page of the people whose name or address contains the text, by name."""
    actor.require(Permission.USER_MANAGE)
    statement = _rows(now).where(_containing(text)).order_by(natural(User.name), User.id)
    return [PersonRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def person(session: Session, actor: Actor, user_id: int, *, now: datetime) -> PersonRow:
    actor.require(Permission.USER_MANAGE)
    row = session.execute(_rows(now).where(User.id == user_id)).one_or_none()
    if row is None:
        raise NotFound("This person does not exist")
    return PersonRow(*row)


def sessions_of(session: Session, actor: Actor, user_id: int, *, now: datetime) -> list[SessionRow]:
    """A person's open sessions, most recently used first."""
    actor.require(Permission.USER_MANAGE)
    return sessions.open_sessions(session, user_id, now=now)


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
    """The ids of the present administrators, locked in id order.

    Two administrators who demote each other at once are serialized here; the second sees what the first did.
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
    return mentions(text, User.name, User.email)


def _rows(now: datetime) -> Select[Any]:
    open_sessions = select(func.count()).where(UserSession.user_id == User.id, sessions.live(now)).scalar_subquery()
    return select(
        User.id,
        User.name,
        User.email,
        User.role,
        User.active,
        User.password_hash.is_(None),
        func.coalesce(Customer.name, ""),
        User.last_sign_in_at,
        open_sessions,
    ).outerjoin(Customer, Customer.id == User.customer_id)
