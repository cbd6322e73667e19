"""Reads of the audit log."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Select, String, cast, func, or_, select
from sqlalchemy.orm import Session

from billing_core.audit.models import AuditEntry
from billing_core.database.functions import equals, mentions, readable
from billing_core.database.ordering import natural
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.identity.models import User

SYSTEM_ID = 0
_Columns = TypeVarTuple("_Columns")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Empty fields do not limit. ``actor_id`` SYSTEM_ID: the system's own changes. ``until`` is not included."""

    actor_id: int | None = None
    action: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    id: int
    at: datetime
    actor_name: str
    action: str
    subject_kind: str
    subject_id: str
    subject_label: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after; None: there was or is no value."""

    field: str
    before: str | None
    after: str | None


_ROW = (
    AuditEntry.id,
    AuditEntry.at,
    AuditEntry.actor_name,
    AuditEntry.action,
    AuditEntry.subject_kind,
    AuditEntry.subject_id,
    AuditEntry.subject_label,
)


def page(session: Session, actor: Actor, filters: AuditFilter, *, limit: int = 50, offset: int = 0) -> list[AuditRow]:
    """One page of entries, newest first."""
    actor.require(Permission.AUDIT_READ)
    statement = _limited(select(*_ROW), filters).order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    return [AuditRow(*row) for row in session.execute(statement.limit(limit).offset(offset))]


def count(session: Session, actor: Actor, filters: AuditFilter) -> int:
    actor.require(Permission.AUDIT_READ)
    return session.scalar(_limited(select(func.count()).select_from(AuditEntry), filters)) or 0


def one(session: Session, actor: Actor, entry_id: int) -> tuple[AuditRow, list[FieldChange]]:
    """One entry, and its changes field by field."""
    actor.require(Permission.AUDIT_READ)
    entry = session.execute(
        select(*_ROW, AuditEntry.before, AuditEntry.after).where(AuditEntry.id == entry_id)
    ).one_or_none()
    if entry is None:
        raise NotFound("This entry does not exist")
    *row, before, after = entry
    return AuditRow(*row), changes(before, after)


def actors(session: Session, actor: Actor, *, limit: int = 1_000) -> dict[int, str]:
    """The possible actors, by id: everybody with an account, and the system."""
    actor.require(Permission.AUDIT_READ)
    people = session.execute(select(User.id, User.name, User.email).order_by(natural(User.name), User.id).limit(limit))
    return {SYSTEM_ID: "The system"} | {user_id: f"{name} ({email})" for user_id, name, email in people}


def actions(session: Session, actor: Actor) -> list[str]:
    """Every action that was recorded."""
    actor.require(Permission.AUDIT_READ)
    return list(session.scalars(select(AuditEntry.action).distinct().order_by(AuditEntry.action)))


def subject_kinds(session: Session, actor: Actor) -> list[str]:
    """Every kind of subject that was recorded."""
    actor.require(Permission.AUDIT_READ)
    return list(session.scalars(select(AuditEntry.subject_kind).distinct().order_by(AuditEntry.subject_kind)))


def happened(session: Session, action: str) -> bool:
    """Whether this was ever recorded."""
    return session.scalar(select(AuditEntry.id).where(AuditEntry.action == action).limit(1)) is not None


def changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[FieldChange]:
    """Compares two snapshots field by field."""
    old, new = before or {}, after or {}
    return [FieldChange(name, _text(old.get(name)), _text(new.get(name))) for name in dict.fromkeys([*old, *new])]


def _limited(statement: Select[*_Columns], filters: AuditFilter) -> Select[*_Columns]:
    conditions: list[ColumnElement[bool]] = []
    if filters.actor_id is not None:
        conditions.append(
            AuditEntry.actor_id.is_(None) if filters.actor_id == SYSTEM_ID else AuditEntry.actor_id == filters.actor_id
        )
    for column, value in (
        (AuditEntry.action, filters.action),
        (AuditEntry.subject_kind, filters.subject_kind),
        (AuditEntry.subject_id, filters.subject_id),
    ):
        if value:
            conditions.append(equals(column, value))
    if filters.text:
        conditions.append(_mentions(filters.text))
    if filters.since is not None:
        conditions.append(AuditEntry.at >= filters.since)
    if filters.until is not None:
        conditions.append(AuditEntry.at < filters.until)
    return statement.where(*conditions)


def _mentions(text: str) -> ColumnElement[bool]:
    """In the names, or in a value before or after. Values are JSON, which escapes some characters."""
    text = text.replace("\0", "")
    as_in_json = json.dumps(text, ensure_ascii=False)[1:-1]
    # Entries have people's ids and names; users also search by their address.
    people = select(User.id).where(mentions(text, User.email))
    return or_(
        AuditEntry.actor_id.in_(people),
        (AuditEntry.subject_kind == "user")
        & AuditEntry.subject_id.in_(people.with_only_columns(cast(User.id, String))),
        mentions(text, AuditEntry.actor_name, AuditEntry.subject_label),
        equals(AuditEntry.subject_id, text),
        mentions(as_in_json, readable(AuditEntry.before), readable(AuditEntry.after)),
    )


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)
