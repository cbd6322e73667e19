"""What an import made, changed and removed, row by row."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, String, literal, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from billing_core.csv_text import marked_for_excel, rows_as_csv
from billing_core.customers.models import Customer
from billing_core.database.types import Scaled
from billing_core.errors import NotFound
from billing_core.identity import Actor, Permission
from billing_core.imports import Kind, merging
from billing_core.imports.history.labels import BETWEEN, LABELS
from billing_core.imports.kind import Definition
from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.imports.models import ImportedChange, ImportRun, RowEffect
from billing_core.metering.models import UsageEventKey
from billing_core.plans.models import Plan, PlanVersion

CSV_HEADER: Final = ("effect", "row", "column", "before", "after")
_TOGETHER: Final = 5_000
# What nobody sees of a row: how it is stored.
_UNSHOWN: Final = frozenset({"id", "order_id", "sku_key", "position", merging.MARK})


@dataclass(frozen=True, slots=True)
class ChangedCell:
    """One column of a row: what it was, and what the import made of it. Of a removed row there is no ``after``."""

    effect: RowEffect
    row: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Details:
    """What an import did. ``made`` names the first rows that it made and that are still there, ``cells`` the first that
    it changed or removed. ``mapping``: from where each column came, in words.
    """

    run_id: int
    kind: Kind
    file_name: str
    created_at: datetime
    created_by: str
    taken_back_at: datetime | None
    taken_back_by: str | None
    mapping: dict[str, Any] | None
    new: int
    changed: int
    unchanged: int
    gone: int
    may_go_back: bool
    made: list[str]
    cells: list[ChangedCell]


def details(session: Session, actor: Actor, run_id: int, *, limit: int = 200) -> Details:
    """NotFound where there is no such import."""
    actor.require(Permission.IMPORT)
    run = _run(session, run_id)
    made = session.execute(_made(run).limit(limit)).all()
    return Details(
        run.id,
        Kind(run.kind),
        run.file_name,
        run.created_at,
        run.created_by,
        run.taken_back_at,
        run.taken_back_by,
        run.mapping,
        run.new_count,
        run.changed_count,
        run.unchanged_count,
        run.gone_count,
        run.first_id is not None and run.taken_back_at is None,
        [label for (label,) in made],
        list(_cells(session, run, _changes(run).limit(limit))),
    )


def as_csv(session: Session, actor: Actor, run_id: int) -> Iterator[bytes]:
    """All of it as CSV, piece by piece, safe to open in a spreadsheet."""
    actor.require(Permission.IMPORT)
    run = _run(session, run_id)
    return marked_for_excel(rows_as_csv(CSV_HEADER, _rows(session, run)))


def first_cells(session: Session, run: ImportRun, *, limit: int) -> tuple[dict[str, str] | None, dict[str, str]]:
    """For the audit log, once it is taken back: the cells before and after that; nothing where there are many."""
    if not 0 < run.changed_count + run.gone_count <= limit:
        return None, {}
    found = list(_cells(session, run, _changes(run)))
    before = {f"{one.row}: {one.column}": one.after for one in found if one.effect is RowEffect.CHANGED}
    return before, {f"{one.row}: {one.column}": one.before for one in found}


def _run(session: Session, run_id: int) -> ImportRun:
    run = session.get(ImportRun, run_id)
    if run is None:
        raise NotFound(f"There is no import {run_id}")
    return run


def _rows(session: Session, run: ImportRun) -> Iterator[Sequence[str]]:
    for label in session.scalars(_made(run).execution_options(yield_per=_TOGETHER)):
        yield "new", label, "", "", ""
    for one in _cells(session, run, _changes(run).execution_options(yield_per=_TOGETHER)):
        yield one.effect.value, one.row, one.column, one.before, one.after


def _made(run: ImportRun) -> Select[*tuple[Any, ...]]:
    """Selects the labels of the rows that the import made, in their order."""
    kind = Kind(run.kind)
    if kind is Kind.USAGE:
        named = select(Customer.ref + BETWEEN + UsageEventKey.event_id).join(
            UsageEventKey, UsageEventKey.customer_id == Customer.id
        )
        found = named.where(UsageEventKey.batch == run.batch)
        return found.order_by(UsageEventKey.customer_id, UsageEventKey.event_id)
    if kind is Kind.PLANS:
        versions = select(_version()).join(Plan, Plan.id == PlanVersion.plan_id)
        return versions.where(PlanVersion.import_id == run.id).order_by(PlanVersion.id)
    target, labels = DEFINITIONS[kind].table, LABELS[kind].subquery("labels")
    mine = (target.c.import_id == run.id, target.c.id >= (run.first_id or 0))
    return select(labels.c.label).join(target, target.c.id == labels.c.id).where(*mine).order_by(target.c.id)


def _version() -> ColumnElement[str]:
    return Plan.code + literal(", version ", String) + sql_cast(PlanVersion.number, String)


def _changes(run: ImportRun) -> Select[*tuple[Any, ...]]:
    mine = select(ImportedChange.effect, ImportedChange.label, ImportedChange.cells).where(
        ImportedChange.run_id == run.id
    )
    return mine.order_by(ImportedChange.row_id)


def _cells(session: Session, run: ImportRun, changes: Select[*tuple[Any, ...]]) -> Iterator[ChangedCell]:
    definition, names = DEFINITIONS[Kind(run.kind)], _Names(session)
    for effect, label, cells in session.execute(changes):
        for name, (before, after) in json.loads(cells, parse_float=Decimal).items():
            named = effect is RowEffect.REMOVED and name in definition.labels
            if named or name in definition.unshown or name in _UNSHOWN:
                continue
            shown = (names.shown(definition, name, value) for value in (before, after))
            yield ChangedCell(effect, label, name, *shown)


class _Names:
    """What people call what a row refers to by an id."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str, int], str] = {}

    def shown(self, definition: Definition, name: str, value: Any) -> str:
        if value is None:
            return ""
        if name in ("plan_id", "plan_version_id"):
            return self._plan(name, value)
        of: TypeEngine[Any] = definition.table.c[name].type
        if isinstance(of, Scaled):
            return merging.written(Decimal(value).scaleb(-of.places))
        return str(value)

    def _plan(self, name: str, identity: int) -> str:
        if (name, identity) not in self._known:
            by_id = (
                select(Plan.code).where(Plan.id == identity)
                if name == "plan_id"
                else select(_version()).join(Plan, Plan.id == PlanVersion.plan_id).where(PlanVersion.id == identity)
            )
            self._known[name, identity] = self._session.scalar(by_id) or str(identity)
        return self._known[name, identity]
