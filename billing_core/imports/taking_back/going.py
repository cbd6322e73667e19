"""The rows of an import that is taken back, as its kind's definition takes rows: those that it made, which go, and
those that it changed or removed, as they were before.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Select, String, Table, case, insert, literal, select
from sqlalchemy.engine import Connection

from billing_core.imports.history import cells
from billing_core.imports.kind import Definition
from billing_core.imports.merging import plain_type
from billing_core.imports.models import ImportedChange, ImportRun, RowEffect

# The effects: "changed" as in an import.
MADE, CHANGED, REMOVED = "made", "changed", "removed"
_OWN = ("line", "existing_id", "effect")


def changed_columns(connection: Connection, run: ImportRun) -> list[str]:
    """The columns of which the import changed any cell."""
    changes = ImportedChange.__table__
    names = cells.names_in(changes, changes.c.cells, connection.dialect.name)
    return sorted(connection.scalars(names.where(*_of(run, RowEffect.CHANGED))))


def collect(connection: Connection, definition: Definition, run: ImportRun, changed: Collection[str]) -> Table:
    """The rows in a temporary table, with ``existing_id``, the ``effect`` of the import, and the id as ``line``."""
    target = definition.table
    names = [column.name for column in target.c]
    rows = Table(
        "rows_going_back",
        MetaData(),
        Column("line", BigInteger),
        Column("existing_id", BigInteger),
        Column("effect", String),
        *(Column(name, plain_type(target.c[name].type)) for name in names),
        prefixes=["TEMPORARY"],
    )
    rows.create(connection, checkfirst=False)
    for selected in (_made(target, run), _changed(target, run, changed), _removed(target, run)):
        connection.execute(insert(rows).from_select([*_OWN, *names], selected))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {rows.name}")
    return rows


def _of(run: ImportRun, effect: RowEffect) -> tuple[Any, ...]:
    return ImportedChange.run_id == run.id, ImportedChange.effect == effect


def _made(target: Table, run: ImportRun) -> Select[Any]:
    rows = select(target.c.id, target.c.id, literal(MADE, String), *target.c)
    return rows.where(target.c.import_id == run.id, target.c.id >= (run.first_id or 0))


def _changed(target: Table, run: ImportRun, changed: Collection[str]) -> Select[Any]:
    given = ImportedChange.cells.expression

    def former(column: Any) -> Any:
        if column.name not in changed:
            return column
        return case((cells.has(given, column), cells.cell(given, column, cells.BEFORE)), else_=column)

    rows = select(target.c.id, target.c.id, literal(CHANGED, String), *map(former, target.c))
    return rows.join(ImportedChange, ImportedChange.row_id == target.c.id).where(*_of(run, RowEffect.CHANGED))


def _removed(target: Table, run: ImportRun) -> Select[Any]:
    given = ImportedChange.cells.expression
    former = (cells.cell(given, column, cells.BEFORE) for column in target.c)
    rows = select(ImportedChange.row_id, literal(None, BigInteger), literal(REMOVED, String), *former)
    return rows.where(*_of(run, RowEffect.REMOVED))
