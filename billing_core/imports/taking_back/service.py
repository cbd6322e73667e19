"""Taking an import back: a rehearsal that changes nothing, and the deed, all or nothing.

Like imports these functions take ``Sessions``: an import may have been of a million rows, and they hold the one
transaction in which nobody else imports or makes reports.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Table, func, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.database import Sessions, turns
from billing_core.database.engine import change_from_now_on
from billing_core.errors import Conflict, NotFound
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind
from billing_core.imports.history import reading
from billing_core.imports.kind import Definition
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.models import ImportRun
from billing_core.imports.taking_back import edited, going, obstacles, usage, writing
from billing_core.imports.taking_back.edited import Edited
from billing_core.imports.taking_back.obstacles import Obstacles

AUDITED_ROWS = 100


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What taking an import back does, or did when ``done``: rows that it ``made`` go, those that it ``changed`` or
    ``removed`` return. ``in_the_way`` are the first of the ``obstacles`` why it cannot be. Of the rows that go, so many
    were ``edited`` by people since; ``edited_rows`` are the first of them.
    """

    run_id: int
    kind: Kind
    file_name: str
    made: int
    changed: int
    removed: int
    obstacles: int = 0
    in_the_way: list[str] = field(default_factory=list)
    edited: int = 0
    edited_rows: list[str] = field(default_factory=list)
    done: bool = False

    @property
    def refused(self) -> bool:
        return self.obstacles > 0

    @property
    def refusal(self) -> str:
        """Why it cannot be taken back, in one sentence; empty where it can."""
        if not self.obstacles:
            return ""
        more = self.obstacles - len(self.in_the_way)
        return (
            f"The import of {self.file_name} cannot be taken back: {'; '.join(self.in_the_way)}"
            f"{f'; and {more:,} more' if more else ''}"
        )


def rehearse(sessions: Sessions, actor: Actor, run_id: int, *, now: datetime) -> TakenBack:
    """What taking it back would do, or what stands in the way. Changes nothing."""
    actor.require(Permission.IMPORT)
    with _alone(sessions) as connection, connection.begin() as transaction, Session(connection) as session:
        turns.keep_imports_out(connection)
        found = _take_back(session, actor, run_id, now=now)
        session.flush()
        transaction.rollback()
    return found


def take_back(sessions: Sessions, actor: Actor, run_id: int, *, now: datetime) -> TakenBack:
    """Take it back. Conflict, and nothing is changed, where anything stands in the way."""
    actor.require(Permission.IMPORT)
    with _alone(sessions) as connection, connection.begin(), Session(connection) as session:
        turns.write_alone(connection)
        found = _take_back(session, actor, run_id, now=now)
        if found.refused:
            raise Conflict(found.refusal)
        session.flush()
    return found


@contextmanager
def _alone(sessions: Sessions) -> Iterator[Connection]:
    """One connection, closed at the end: its temporary tables go with it."""
    with sessions.engine.connect() as connection:
        connection.detach()
        change_from_now_on(connection)
        yield connection


def _take_back(session: Session, actor: Actor, run_id: int, *, now: datetime) -> TakenBack:
    run = _standing(session, run_id)
    definition = DEFINITIONS[Kind(run.kind)]
    details = reading.first_cells(session, run, limit=AUDITED_ROWS)
    # Before anything goes: what never changes may go with an import that is taken back alone.
    run.taken_back_at, run.taken_back_by_id, run.taken_back_by = now, actor.user_id, actor.name
    session.flush()
    if definition.kind is Kind.USAGE:
        found, made = usage.take_back(session, run, now=now)
        counts, changed_since = {"made": made, "changed": 0, "removed": 0}, Edited()
    else:
        counts, found, changed_since = _rows_back(session, definition, run)
    taken = TakenBack(
        run.id,
        definition.kind,
        run.file_name,
        made=counts["made"],
        changed=counts["changed"],
        removed=counts["removed"],
        obstacles=found.count,
        in_the_way=found.first,
        edited=changed_since.count,
        edited_rows=changed_since.first,
        done=not found.count,
    )
    if taken.refused:
        return taken
    before, after = details
    audit.record(
        session,
        actor,
        "import.take_back",
        ("import", run.id),
        label=f"{definition.title} from {run.file_name}",
        before=before,
        after={name: count for name, count in (counts | {"edited": taken.edited}).items() if count} | after,
        now=now,
    )
    return taken


def _rows_back(session: Session, definition: Definition, run: ImportRun) -> tuple[dict[str, int], Obstacles, Edited]:
    connection = session.connection()
    changed = going.changed_columns(connection, run)
    rows = going.collect(connection, definition, run, changed)
    counts = _counts(connection, run, rows)
    changed_since = edited.of_made(connection, definition.kind, run, rows)
    found = obstacles.find(connection, definition, run, rows, changed)
    if definition.kind is not Kind.RATES:
        obstacles.by_the_rules(connection, found, definition, rows)
    if found.count:
        return counts, found, changed_since
    with definition.around(session, rows):
        writing.delete_made(session, definition.kind, run)
        if definition.kind is Kind.RATES:
            # Not before: what goes would overlap what returns.
            obstacles.by_the_rules(connection, found, definition, rows)
        if not found.count:
            writing.restore(session, definition, rows, changed)
    return counts, found, changed_since


def _counts(connection: Connection, run: ImportRun, rows: Table) -> dict[str, int]:
    """As the import counted them: of a changed plan, or a corrected rate, a further row may have been made."""
    made = connection.scalar(select(func.count()).select_from(rows).where(rows.c.effect == going.MADE)) or 0
    return {"made": min(made, run.new_count), "changed": run.changed_count, "removed": run.gone_count}


def _standing(session: Session, run_id: int) -> ImportRun:
    run = session.get(ImportRun, run_id, with_for_update=True)
    if run is None:
        raise NotFound(f"There is no import {run_id}")
    if run.taken_back_at is not None:
        raise Conflict(f"The import of {run.file_name} was taken back by {run.taken_back_by} already")
    if not (run.new_count or run.changed_count or run.gone_count):
        raise Conflict(f"The import of {run.file_name} has changed nothing: there is nothing to take back")
    if run.first_id is None:
        raise Conflict(
            f"What the import of {run.file_name} changed was not written down at its time: it cannot be taken back"
        )
    return run
