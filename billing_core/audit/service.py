"""Recording a change, by the service that makes it, in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Select, String, Table, func, insert, literal, select
from sqlalchemy import cast as cast_in_sql
from sqlalchemy.orm import Session

from billing_core.audit.models import AuditEntry
from billing_core.identity.permissions import Actor


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: tuple[str, object],
    *,
    label: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """Append one entry. ``subject`` is (kind, id), such as ("customer", 7). Never pass a secret."""
    kind, identity = subject
    session.add(
        AuditEntry(
            at=now,
            actor_id=actor.user_id,
            actor_name=actor.name,
            action=action,
            subject_kind=kind,
            subject_id=str(identity),
            subject_label=label[:200],
            before=_plain(before),
            after=_plain(after),
        )
    )


_INSERT = insert(cast("Table", AuditEntry.__table__))


@dataclass(frozen=True, slots=True)
class Trace:
    """One of several changes recorded together; the fields as in ``record``."""

    subject: tuple[str, object]
    label: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


def record_many(session: Session, actor: Actor, action: str, traces: Sequence[Trace], *, now: datetime) -> None:
    """Append an entry for each, in one statement."""
    rows = [
        {
            "at": now,
            "actor_id": actor.user_id,
            "actor_name": actor.name,
            "action": action,
            "subject_kind": trace.subject[0],
            "subject_id": str(trace.subject[1]),
            "subject_label": trace.label[:200],
            "before": _plain(trace.before),
            "after": _plain(trace.after),
        }
        for trace in traces
    ]
    if rows:
        session.connection().execute(_INSERT, rows)


def record_each(
    session: Session,
    actor: Actor,
    action: str,
    kind: str,
    subjects: Select[int, str],
    *,
    after: Mapping[str, Any],
    now: datetime,
) -> None:
    """Append the same entry for every subject of a kind: ``subjects`` are ids and labels, in the database."""
    found = subjects.subquery("subjects")
    identity, label = found.c
    facts: dict[str, Any] = {
        "at": now,
        "actor_id": actor.user_id,
        "actor_name": actor.name,
        "action": action,
        "subject_kind": kind,
        "after": _plain(after),
    }
    columns = AuditEntry.__table__.c
    values = [literal(value, columns[name].type) for name, value in facts.items()]
    entries = select(*values, cast_in_sql(identity, String), func.substr(label, 1, 200))
    names = [*facts, "subject_id", "subject_label"]
    session.execute(insert(AuditEntry).from_select(names, entries.order_by(identity)))


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Only the fields that differ, before and after."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """JSON has no decimals or dates: both are stored as text."""
    if values is None:
        return None
    return {name: str(value) if isinstance(value, Decimal | date) else value for name, value in values.items()}
