"""What an administrator does about people."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.customers.models import Customer
from billing_core.email_addresses import address_fault
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import Actor, Permission, Role, links, sessions
from billing_core.identity.models import LinkPurpose, User
from billing_core.people import queries


def invite(
    session: Session,
    actor: Actor,
    *,
    email: str,
    name: str,
    role: Role,
    customer_id: int | None = None,
    now: datetime,
) -> tuple[User, str]:
    """A new person who cannot sign in yet, and the token of the link with which they choose a password.

    ``customer_id`` binds them to one customer. Invalid names the fields ``email``, ``name`` and ``customer``.
    """
    actor.require(Permission.USER_MANAGE)
    user = add_person(session, actor, email=email, name=name, role=role, customer_id=customer_id, now=now)
    return user, links.make(session, LinkPurpose.INVITATION, user_id=user.id, now=now)


def add_person(
    session: Session,
    actor: Actor,
    *,
    email: str,
    name: str,
    role: Role,
    customer_id: int | None = None,
    password_hash: str | None = None,
    now: datetime,
) -> User:
    """A new account. With a password's hash they can sign in at once; without, they need a link."""
    actor.require(Permission.USER_MANAGE)
    address, known_as = checked(email=email, name=name)
    if role is Role.ADMIN and customer_id is not None:
        raise Invalid("An administrator sees every customer", fields={"customer": "must be empty for an administrator"})
    if customer_id is not None and session.get(Customer, customer_id) is None:
        raise Invalid("This customer does not exist", fields={"customer": "does not exist"})
    if session.scalar(select(User.id).where(User.email == address)) is not None:
        raise Conflict(f"{address} already has an account", fields={"email": "already has an account"})
    user = User(
        email=address,
        name=known_as,
        role=role,
        password_hash=password_hash,
        customer_id=customer_id,
        active=True,
        created_at=now,
        last_sign_in_at=None,
    )
    session.add(user)
    session.flush()
    after = {"email": address, "name": known_as, "role": role.value, "customer_id": customer_id}
    audit.record(session, actor, "user.invite", ("user", user.id), label=known_as, after=after, now=now)
    return user


def change_role(session: Session, actor: Actor, user_id: int, *, role: Role, now: datetime) -> User:
    """Give a person another role, from their next request on. Conflict for the last administrator."""
    actor.require(Permission.USER_MANAGE)
    administrators = queries.administrators_for_change(session)
    user = queries.for_change(session, user_id)
    if role is Role.ADMIN and user.customer_id is not None:
        raise Invalid("Somebody bound to one customer cannot be an administrator", fields={"role": "is not possible"})
    if role is not Role.ADMIN:
        _leave_an_administrator(administrators, user)
    if role is not user.role:
        before, after = {"role": user.role.value}, {"role": role.value}
        user.role = role
        audit.record(
            session, actor, "user.change_role", ("user", user.id), label=user.name, before=before, after=after, now=now
        )
    return user


def deactivate(session: Session, actor: Actor, user_id: int, *, now: datetime) -> User:
    """Lock a person out: their sessions end, their links stop working. What they did stays."""
    actor.require(Permission.USER_MANAGE)
    administrators = queries.administrators_for_change(session)
    user = queries.for_change(session, user_id)
    _leave_an_administrator(administrators, user)
    if user.active:
        user.active = False
        ended = sessions.end_all(session, user.id, now=now)
        links.withdraw(session, user.id, now=now)
        audit.record(
            session,
            actor,
            "user.deactivate",
            ("user", user.id),
            label=user.name,
            before={"active": True},
            after={"active": False, "sessions_ended": ended},
            now=now,
        )
    return user


def reactivate(session: Session, actor: Actor, user_id: int, *, now: datetime) -> User:
    """Let a person in again, with their old password."""
    actor.require(Permission.USER_MANAGE)
    user = queries.for_change(session, user_id)
    if not user.active:
        user.active = True
        audit.record(
            session,
            actor,
            "user.reactivate",
            ("user", user.id),
            label=user.name,
            before={"active": False},
            after={"active": True},
            now=now,
        )
    return user


def password_link(session: Session, actor: Actor, user_id: int, *, now: datetime) -> tuple[User, str]:
    """The token of a link with which this person chooses a password: an invitation again, or a reset."""
    actor.require(Permission.USER_MANAGE)
    user = queries.for_change(session, user_id)
    if not user.active:
        raise Conflict("Reactivate this person first")
    purpose = LinkPurpose.PASSWORD_RESET if user.password_hash else LinkPurpose.INVITATION
    token = links.make(session, purpose, user_id=user.id, now=now)
    audit.record(session, actor, "user.password_link", ("user", user.id), label=user.name, now=now)
    return user, token


def revoke_session(session: Session, actor: Actor, user_id: int, session_id: int, *, now: datetime) -> None:
    """End one browser's session of a person."""
    actor.require(Permission.USER_MANAGE)
    user = queries.for_change(session, user_id)
    if not sessions.end_one(session, user.id, session_id, now=now):
        raise NotFound("This session has already ended")
    _record_ended(session, actor, user, 1, now=now)


def revoke_sessions(session: Session, actor: Actor, user_id: int, *, now: datetime) -> int:
    """End every session of a person; returns how many were open."""
    actor.require(Permission.USER_MANAGE)
    user = queries.for_change(session, user_id)
    ended = sessions.end_all(session, user.id, now=now)
    if ended:
        _record_ended(session, actor, user, ended, now=now)
    return ended


def checked(*, email: str, name: str) -> tuple[str, str]:
    """The address in lower case and the name, trimmed; Invalid names the fields at fault."""
    address, known_as = email.strip().lower(), " ".join(name.split())
    reasons: dict[str, str] = {}
    if fault := address_fault(address):
        reasons["email"] = fault
    elif not address.isascii():
        reasons["email"] = "may have letters of English, digits and signs alone: it is typed at every sign-in"
    if not known_as or len(known_as) > 200 or not known_as.isprintable():
        reasons["name"] = "is needed, with at most 200 letters, signs and blanks"
    if reasons:
        raise Invalid("The name or the e-mail address cannot be used", fields=reasons)
    return address, known_as


def _leave_an_administrator(administrators: list[int], user: User) -> None:
    if administrators == [user.id]:
        raise Conflict(f"{user.name} is the last administrator. Make somebody else an administrator first.")


def _record_ended(session: Session, actor: Actor, user: User, ended: int, *, now: datetime) -> None:
    audit.record(
        session,
        actor,
        "user.revoke_sessions",
        ("user", user.id),
        label=user.name,
        after={"sessions_ended": ended},
        now=now,
    )
