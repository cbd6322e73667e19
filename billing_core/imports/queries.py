"""Reads of past imports."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.identity import Actor, Permission
from billing_core.imports.models import ImportRun


@dataclass(frozen=True, slots=True)
class HistoryRow:
    created_at: datetime
    created_by: str
    kind: str
    file_name: str
    new: int
    changed: int
    unchanged: int


def history(session: Session, actor: Actor, *, limit: int = 50, offset: int = 0) -> list[HistoryRow]:
    """One page of imported files, newest first."""
    actor.require(Permission.IMPORT)
    run = ImportRun
    statement = (
        select(
            run.created_at,
            run.created_by,
            run.kind,
            run.file_name,
            run.new_count,
            run.changed_count,
            run.unchanged_count,
        )
        .order_by(run.created_at.desc(), run.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [HistoryRow(*row) for row in session.execute(statement)]


def history_count(session: Session, actor: Actor) -> int:
    actor.require(Permission.IMPORT)
    return session.scalar(select(func.count()).select_from(ImportRun)) or 0
