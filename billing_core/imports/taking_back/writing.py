"""Taking back what an import wrote: what it made is deleted, what it changed or removed is as it was."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from sqlalchemy import Index, Table, UniqueConstraint, delete, func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.database import Base
from billing_core.imports import Kind
from billing_core.imports.kind import Definition
from billing_core.imports.merging import MARK
from billing_core.imports.models import ImportRun
from billing_core.imports.taking_back import going
from billing_core.imports.taking_back.references import MADE, PARTS

# Fewer rows are deleted sooner than an index is made.
_MANY = 100


def delete_made(session: Session, kind: Kind, run: ImportRun) -> None:
    """What the import made, with what is kept beside it."""
    connection = session.connection()
    for model in MADE[kind]:
        target = _table(model)
        made = select(target.c.id).where(target.c.import_id == run.id)
        for part in PARTS.get(model, ()):
            _delete_part(connection, part, made)
        with _quick_to_refer(connection, target, run):
            connection.execute(delete(target).where(target.c.import_id == run.id))


def restore(session: Session, definition: Definition, rows: Table, changed: Collection[str]) -> None:
    connection, target = session.connection(), definition.table
    if changed:
        values: dict[str, Any] = {name: rows.c[name] for name in changed}
        if "version" in target.c:
            values["version"] = target.c.version + 1
        found = (target.c.id == rows.c.existing_id, rows.c.effect == going.CHANGED)
        connection.execute(update(target).values(values).where(*found))
    names = [column.name for column in target.c if column.name != "id"]
    removed = select(*(rows.c[name] for name in names)).where(rows.c.effect == going.REMOVED).order_by(rows.c.line)
    connection.execute(insert(target).from_select(names, removed))
    if MARK in names:
        # Where their rows have other ids now, all rows have to be looked through for them.
        makers = select(rows.c[MARK]).where(rows.c.effect == going.REMOVED)
        connection.execute(update(ImportRun).where(ImportRun.id.in_(makers)).values(first_id=0))


def _delete_part(connection: Connection, part: InstrumentedAttribute[Any], made: Any) -> None:
    model = cast("type[Base]", part.class_)
    table = _table(model)
    for further in PARTS.get(model, ()):
        _delete_part(connection, further, select(table.c.id).where(table.c[part.key].in_(made)))
    connection.execute(delete(table).where(table.c[part.key].in_(made)))


@contextmanager
def _quick_to_refer(connection: Connection, target: Table, run: ImportRun) -> Iterator[None]:
    """While many rows are deleted: the database looks for references to each of them, in tables that have no index for
    it since nothing else asks them that way.
    """
    made = select(target.c.id).where(target.c.import_id == run.id).limit(_MANY)
    if (connection.scalar(select(func.count()).select_from(made.subquery())) or 0) < _MANY:
        yield
        return
    with ExitStack() as made_for_now:
        for table in Base.metadata.sorted_tables:
            for key in table.foreign_keys:
                if key.column.table is target and not _is_found(table, key.parent.name):
                    index = Index(f"ix_for_now_{table.name}_{key.parent.name}", key.parent)
                    table.indexes.discard(index)
                    index.create(connection)
                    made_for_now.callback(index.drop, connection)
        yield


def _is_found(table: Table, column: str) -> bool:
    keys = [table.primary_key.columns, *(index.columns for index in table.indexes)]
    keys += [one.columns for one in table.constraints if isinstance(one, UniqueConstraint)]
    return any(next(iter(key)).name == column for key in keys if len(key))


def _table(model: type[Base]) -> Table:
    return cast("Table", model.__table__)
