"""What people have changed since of the rows that an import made: it goes with them, and is told before."""

from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Select, String, Table, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.engine import Connection

from billing_core.audit.models import AuditEntry
from billing_core.imports import Kind
from billing_core.imports.history.labels import LABELS
from billing_core.imports.models import ImportRun
from billing_core.imports.taking_back import going
from billing_core.imports.taking_back.obstacles import SHOWN

# By what the audit log names the rows of a kind; of the others people change none.
_SUBJECTS: Final = {
    Kind.CUSTOMERS: "customer",
    Kind.SERVICES: "service",
    Kind.RATES: "rate",
    Kind.PROMO_CODES: "promo_code",
}


@dataclass(frozen=True, slots=True)
class Edited:
    """How many rows, and the first of them with who changed them last."""

    count: int = 0
    first: list[str] = field(default_factory=list)


def of_made(connection: Connection, kind: Kind, run: ImportRun, rows: Table) -> Edited:
    """``rows``: those that go back."""
    if kind not in _SUBJECTS:
        return Edited()
    changed = _changed(kind, run, rows)
    count = connection.scalar(select(func.count()).select_from(changed.subquery())) or 0
    if not count:
        return Edited()
    last, labels = changed.subquery("last_changes"), LABELS[kind].subquery("labels")
    named = (
        select(labels.c.label, AuditEntry.actor_name)
        .select_from(last)
        .join(AuditEntry, AuditEntry.id == last.c.entry_id)
        .join(labels, sql_cast(labels.c.id, String) == last.c.subject_id)
        .order_by(labels.c.label)
        .limit(SHOWN)
    )
    return Edited(count, [f"{label} (by {name})" for label, name in connection.execute(named)])


def _changed(kind: Kind, run: ImportRun, rows: Table) -> Select[*tuple[Any, ...]]:
    """The last entry about each; earlier ones were about rows that had these ids before."""
    made = select(sql_cast(rows.c.existing_id, String)).where(rows.c.effect == going.MADE)
    return (
        select(AuditEntry.subject_id, func.max(AuditEntry.id).label("entry_id"))
        .where(
            AuditEntry.subject_kind == _SUBJECTS[kind],
            AuditEntry.at >= run.created_at,
            AuditEntry.subject_id.in_(made),
        )
        .group_by(AuditEntry.subject_id)
    )
