"""Writing down what an import does to the rows that it finds, so that it can be taken back.

Rows that it makes are marked as its own, which costs next to nothing. Those that it changes are copied before, compared
afterwards, and only the cells that differ are kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, FromClause, MetaData, Select, Table, func, insert, literal, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from billing_core.imports import merging
from billing_core.imports.history import cells
from billing_core.imports.history.labels import LABELS
from billing_core.imports.kind import Definition
from billing_core.imports.models import ImportedChange, ImportRun, RowEffect

_NAMES = ["run_id", "row_id", "effect", "label", "cells"]
# How often a row was changed is no part of what is in it.
_COUNTED = ("version",)


@contextmanager
def written(session: Session, definition: Definition, rows: FromClause, run: ImportRun) -> Iterator[None]:
    """Around the writing of ``rows``, which are beside what they change."""
    connection, target = session.connection(), definition.table
    # From which id on the rows are that the import makes.
    ids = target.c.get("id")
    run.first_id = 0 if ids is None else (connection.scalar(select(func.max(ids))) or 0) + 1
    if not run.changed_count:
        yield
        return
    names = [column.name for column in target.c if column.name not in _COUNTED]
    former = Table(
        "former_rows",
        MetaData(),
        *(Column(name, merging.plain_type(target.c[name].type), primary_key=name == "id") for name in names),
        prefixes=["TEMPORARY"],
    )
    former.create(connection, checkfirst=False)
    chosen = select(rows.c.existing_id).where(rows.c.effect == "changed")
    found = select(*(target.c[name] for name in names)).where(target.c.id.in_(chosen))
    connection.execute(insert(former).from_select(names, found))
    yield
    _keep(connection, definition, run, former)
    former.drop(connection)


def removing(connection: Connection, definition: Definition, gone: Select[Any], run: ImportRun) -> None:
    """Before these rows are removed."""
    rows, labels = gone.subquery("removed_rows"), LABELS[definition.kind].subquery("labels")
    written = select(
        literal(run.id),
        rows.c.id,
        literal(RowEffect.REMOVED.value),
        labels.c.label,
        cells.whole(rows),
    ).join(labels, labels.c.id == rows.c.id)
    connection.execute(insert(ImportedChange).from_select(_NAMES, written))


def _keep(connection: Connection, definition: Definition, run: ImportRun, former: Table) -> None:
    now, labels = definition.table, LABELS[definition.kind].subquery("labels")
    names = [column.name for column in former.c if column.name not in ("id", merging.MARK)]
    differing = cells.any_differs(former, now, names)
    written = (
        select(
            literal(run.id),
            former.c.id,
            literal(RowEffect.CHANGED.value),
            labels.c.label,
            cells.differing(former, now, names),
        )
        .join(now, now.c.id == former.c.id)
        .join(labels, labels.c.id == former.c.id)
        .where(differing)
    )
    connection.execute(insert(ImportedChange).from_select(_NAMES, written))
