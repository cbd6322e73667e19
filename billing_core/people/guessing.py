"""Keeping people out who guess passwords, and telling of them in the audit log."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.audit.models import AuditEntry
from billing_core.identity import Actor, attempts
from billing_core.identity.attempts import FROM_ONE_ADDRESS, OF_ONE_ACCOUNT, Knock, Refusal
from billing_core.identity.models import User

REFUSED: Final = "sign_in.refuse"
REFUSED_PROGRAM: Final = "api.refuse"
_NOBODY: Final = "An account that does not exist"


def refusal(session: Session, knock: Knock, *, now: datetime) -> Refusal | None:
    """Why they may not try now, if so. Reads only: whoever goes on and on makes nobody wait."""
    return attempts.refusal(session, knock, now=now)


def begin(session: Session, knock: Knock, *, now: datetime) -> Refusal | None:
    """Count one more attempt, unless it is refused."""
    return attempts.begin(session, knock, now=now)


def succeeded(session: Session, knock: Knock, *, now: datetime) -> None:
    """The attempt was no guess."""
    attempts.succeeded(session, knock, now=now)


def is_told(session: Session, knock: Knock, refused: Refusal, *, now: datetime) -> bool:
    """Whether the audit log tells of this already. Reads only."""
    subject, who = _subject(session, knock, refused)[0], _who(knock, refused)
    return _recorded(session, REFUSED, subject, who, since=now - timedelta(minutes=refused.limit.minutes))


def tell(session: Session, knock: Knock, refused: Refusal, *, now: datetime) -> None:
    """Record who is kept out from what; once while it lasts. What was typed is not: it may be a password."""
    if is_told(session, knock, refused, now=now):
        return
    subject, label = _subject(session, knock, refused)
    limit = refused.limit
    after = {"address": knock.origin, "failed_attempts": limit.amount, "minutes": limit.minutes}
    audit.record(session, _who(knock, refused), REFUSED, subject, label=label, after=after, now=now)


def tell_of_program(session: Session, origin: str, *, since: datetime, now: datetime) -> None:
    """Record that programs at an address were refused for their number, with credentials that are none; once since."""
    who, subject = _somebody(origin), ("address", origin)
    if not _recorded(session, REFUSED_PROGRAM, subject, who, since=since):
        audit.record(session, who, REFUSED_PROGRAM, subject, label=origin, after={"address": origin}, now=now)


def _subject(session: Session, knock: Knock, refused: Refusal) -> tuple[tuple[str, object], str]:
    if refused.limit is FROM_ONE_ADDRESS:
        return ("address", knock.origin), knock.origin
    # The same statements whether the account exists or not.
    found = session.execute(select(User.id, User.name).where(User.email == knock.email.strip().lower())).one_or_none()
    user_id, name = found or ("", _NOBODY)
    return ("user", user_id), name


def _who(knock: Knock, refused: Refusal) -> Actor:
    return _somebody("many addresses" if refused.limit is OF_ONE_ACCOUNT else knock.origin)


def _somebody(where: str) -> Actor:
    return Actor(None, f"Somebody at {where or 'an unknown address'}", frozenset())


def _recorded(session: Session, action: str, subject: tuple[str, object], who: Actor, *, since: datetime) -> bool:
    kind, identity = subject
    entries = select(AuditEntry.id).where(
        AuditEntry.action == action,
        AuditEntry.at > since,
        AuditEntry.subject_kind == kind,
        AuditEntry.subject_id == str(identity),
        AuditEntry.actor_name == who.name,
    )
    return session.scalar(entries.limit(1)) is not None
