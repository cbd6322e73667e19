"""Recording a change. Called by the service that makes it, in the same transaction."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

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


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Only the fields that differ, as they were and as they are."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """JSON has no decimals or dates: both are kept as the text that people read."""
    if values is None:
        return None
    return {name: str(value) if isinstance(value, Decimal | date) else value for name, value in values.items()}
