"""From staged rows to our tables, set-based: what is new, what changes, what conflicts, and the writing."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Enum,
    FromClause,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    String,
    Subquery,
    Table,
    and_,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, Grouping
from sqlalchemy.types import JSON, TypeEngine

from billing_core.customers.models import Customer
from billing_core.database.loading import sorting
from billing_core.imports import Repeats
from billing_core.imports.kind import NEWEST_BY, Definition, Resolved, Staged
from billing_core.imports.models import ImportRun

_POSITION = "position"
# Of the rows that an import makes: its id.
MARK = "import_id"
_DIFFERS = "…"
_NUMBERS = re.compile(r"[0-9…]+(?:[.,:-][0-9]+)*")
EFFECTS = ("new", "changed", "unchanged")


@dataclass(frozen=True, slots=True)
class Counts:
    new: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Rows of a file that do not count, as another one has their key: the ``same`` as that one, or with ``other``
    content. ``asked``: rows with other content that are rejected, as nothing says which of them counts.
    """

    same: int = 0
    other: int = 0
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One column of one row that the file changes. ``row`` names it as the file does."""

    line: int
    row: str
    column: str
    old: Any
    new: Any


def written(number: Decimal) -> str:
    """As a file has it, with the digits that it has and no more: 12.000 would be twelve thousand to many."""
    return f"{number.normalize():f}"


def resolve(connection: Connection, definition: Definition, staged: Staged) -> Table:
    """The staged rows as rows of our table: ``line`` and the columns that the file gives, in key order (or the file's,
    where the definition says so).

    In key order our table's indexes grow at their end, and equal keys are found without another sort.
    """
    chosen = definition.resolve(staged).subquery("chosen")
    names = [column.name for column in chosen.c if column.name != "line"]
    keys = [name for name in definition.keys if name != _POSITION]
    order = ["line"] if definition.in_file_order else [*keys, "line"]
    resolved = Table(
        staged.table.name.replace("staged", "resolved"),
        MetaData(),
        Column("line", Integer),
        *(Column(name, plain_type(definition.stored.c.get(name, chosen.c[name]).type)) for name in names),
        PrimaryKeyConstraint(*order),
        prefixes=["TEMPORARY"],
        sqlite_with_rowid=False,
    )
    resolved.create(connection, checkfirst=False)
    rows = select(*(chosen.c[column.name] for column in resolved.columns)).order_by(*(chosen.c[key] for key in order))
    with sorting(connection):
        connection.execute(insert(resolved).from_select([column.name for column in resolved.columns], rows))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {resolved.name}")
    return resolved


def beside(definition: Definition, resolved: Table, run_id: int | None = None) -> Subquery:
    """Each resolved row with the id of the existing row of the same key, ``existing_id``, and its ``effect`` there; and
    with the import that brings it.
    """
    target = definition.stored
    effect = case(
        (target.c.id.is_(None), "new"),
        (differs(compared(definition, resolved), resolved, target), "changed"),
        else_="unchanged",
    )
    met = and_(*(target.c[key] == resolved.c[key] for key in definition.keys))
    if "withdrawn_at" in target.c:
        met = and_(met, target.c.withdrawn_at.is_(None))
    mark = literal(run_id, Integer).label(MARK)
    columns = (*resolved.columns, target.c.id.label("existing_id"), effect.label("effect"), mark)
    return select(*columns).outerjoin_from(resolved, target, met).subquery("beside")


def compared(definition: Definition, rows: FromClause) -> list[str]:
    """The columns whose difference counts as a change."""
    never = {"line", "existing_id", "effect", MARK, *definition.keys, *definition.insert_only}
    return [column.name for column in rows.c if column.name not in never]


def differs(names: list[str], one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Whether any of these columns differs between the two rows."""
    return or_(false(), *(_comparable(one.c[name]).is_distinct_from(_comparable(other.c[name])) for name in names))


def _comparable(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """PostgreSQL has no equality for JSON; its stored text keeps the written form."""
    return sql_cast(column, String) if isinstance(column.type, JSON) else column


def plain_type(of: TypeEngine[Any]) -> TypeEngine[Any]:
    """Enums stay text: a temporary table needs no CHECK of its own."""
    return String() if isinstance(of, Enum) else of


def _any_repeated(connection: Connection, definition: Definition, resolved: Table) -> bool:
    keys = [resolved.c[key] for key in definition.keys if key != _POSITION]
    again = select(literal(1)).select_from(resolved).group_by(*keys).having(func.count() > 1).limit(1)
    return connection.scalar(again) is not None


def _repeated(definition: Definition, resolved: Table, counts: Repeats = Repeats.FIRST) -> Subquery:
    """The keys that occur more than once, with the line of the row that counts."""
    keys = [resolved.c[key] for key in definition.keys if key != _POSITION]
    line = (func.max if counts is Repeats.LAST else func.min)(resolved.c.line)
    repeated = select(*keys, line.label("counting_line")).group_by(*keys).having(func.count() > 1)
    return repeated.subquery("repeated")


def _newest(definition: Definition, resolved: Table, staged: Table) -> Subquery:
    """As ``_repeated``, with the first of the newest rows of each key."""
    repeated, when = _repeated(definition, resolved), staged.c[NEWEST_BY.name]
    keys = [resolved.c[key] for key in definition.keys if key != _POSITION]
    place = func.row_number().over(partition_by=keys, order_by=(when.desc(), resolved.c.line))
    ranked = (
        select(*keys, resolved.c.line.label("counting_line"), place.label("place"))
        .join(repeated, _same_key(definition, repeated, resolved))
        .join(staged, staged.c.line == resolved.c.line)
        .subquery("ranked")
    )
    return select(ranked).where(ranked.c.place == 1).subquery("newest")


def _same_key(definition: Definition, one: FromClause, other: FromClause) -> ColumnElement[bool]:
    return and_(*(one.c[key] == other.c[key] for key in definition.keys if key != _POSITION))


def number_repeated_keys(connection: Connection, definition: Definition, resolved: Table) -> None:
    """A repeated key is a further row: its ``position`` continues, in the order of the file."""
    if not _any_repeated(connection, definition, resolved):
        return
    repeated = _repeated(definition, resolved)
    keys = [resolved.c[key] for key in definition.keys if key != _POSITION]
    place = func.row_number().over(partition_by=keys, order_by=resolved.c.line)
    counted = (
        select(*keys, resolved.c.line, place.label("place"))
        .join(repeated, _same_key(definition, repeated, resolved))
        .subquery("counted")
    )
    connection.execute(
        update(resolved)
        .values({_POSITION: counted.c.place})
        .where(_same_key(definition, counted, resolved), counted.c.line == resolved.c.line)
    )


def keep_one_of_each_key(
    connection: Connection,
    definition: Definition,
    staged: Table,
    resolved: Table,
    rejections: Table,
    counts: Repeats | None,
) -> PassedOver:
    """Of the rows of one key, that which ``counts`` stays. None: those that differ from the first are rejected. So are
    those that may be as new as the newest.
    """
    if not _any_repeated(connection, definition, resolved):
        return PassedOver()
    newest = counts is Repeats.NEWEST
    repeated = (
        _newest(definition, resolved, staged) if newest else _repeated(definition, resolved, counts or Repeats.FIRST)
    )
    kept, again = resolved.alias("kept"), resolved.alias("again")
    pairs = (
        select(again.c.line)
        .join(repeated, _same_key(definition, again, repeated))
        .join(kept, and_(kept.c.line == repeated.c.counting_line, _same_key(definition, kept, again)))
        .where(again.c.line != kept.c.line)
    )
    other = differs(compared(definition, resolved), again, kept)
    same = _drop(connection, resolved, pairs.where(~other))
    passed_over, said = 0, "comes again with other content; it was first on line "
    if newest:
        one, another = staged.alias("kept_row"), staged.alias("other_row")
        pairs = pairs.join(one, one.c.line == kept.c.line).join(another, another.c.line == again.c.line)
        when, newer = another.c[NEWEST_BY.name], one.c[NEWEST_BY.name]
        passed_over = _drop(connection, resolved, pairs.where(when != "", when < newer))
        said = "comes again with other content, and nothing says whether it is newer than line "
    elif counts is not None:
        return PassedOver(same, _drop(connection, resolved, pairs))
    reason = literal(said, String) + sql_cast(kept.c.line, String)
    value = sql_cast(again.c[definition.keys[-1]], String)
    column = literal(definition.labels[-1], String)
    asked = pairs.where(other).with_only_columns(again.c.line, column, value, reason).distinct()
    return PassedOver(same, passed_over, add_rejections(connection, rejections, asked))


def _drop(connection: Connection, resolved: Table, lines: Select[Any]) -> int:
    chosen = lines.subquery("chosen_lines")
    return connection.execute(delete(resolved).where(resolved.c.line.in_(select(chosen.c.line)))).rowcount


def add_rejections(connection: Connection, rejections: Table, rejected: Select[Any]) -> int:
    """``rejected`` selects (line, column, value, reason). Returns how many they are."""
    reason = rejected.selected_columns.values()[3]
    common = _in_common(reason)
    shared = reason if common == _DIFFERS else literal(alike(common), String)
    columns = ["line", "column_name", "value", "reason", "alike"]
    added = insert(rejections).from_select(columns, rejected.add_columns(shared))
    return connection.execute(added, execution_options={"preserve_rowcount": True}).rowcount


def alike(reason: str) -> str:
    """What the reasons of the same kind have in common: without the numbers that differ from row to row."""
    return _NUMBERS.sub(_DIFFERS, reason)


def _in_common(reason: Any) -> str:
    """The words of a reason made in SQL, with … for what each row has of its own."""
    if isinstance(reason, BindParameter):
        return str(reason.value)
    if isinstance(reason, BinaryExpression):
        return _in_common(reason.left) + _in_common(reason.right)
    return _in_common(reason.element) if isinstance(reason, Grouping) else _DIFFERS


def leave_out(connection: Connection, resolved: Table, rejections: Table) -> None:
    """Rejected rows do not count as new, changed or unchanged."""
    connection.execute(delete(resolved).where(resolved.c.line.in_(select(rejections.c.line))))


def leave_existing(connection: Connection, definition: Definition, resolved: Table) -> int:
    """Take out the rows whose keys are there already, so that these stay as they are. Returns how many they were."""
    target = definition.stored
    there = exists().where(*(target.c[key] == resolved.c[key] for key in definition.keys))
    return connection.execute(delete(resolved).where(there)).rowcount


def count_rows(connection: Connection, rows: Table) -> int:
    return connection.scalar(select(func.count()).select_from(rows)) or 0


def count_effects(connection: Connection, definition: Definition, resolved: Table) -> Counts:
    rows = beside(definition, resolved)
    statement = select(*(func.count().filter(rows.c.effect == effect) for effect in EFFECTS)).select_from(rows)
    return Counts(*map(int, connection.execute(statement).one()))


def count_customers(connection: Connection, resolved: Table) -> tuple[int, int]:
    """Of a file for every customer: how many it applies to, and how many there are."""
    reached = select(func.count(func.distinct(resolved.c.customer_id))).scalar_subquery()
    there_are = select(func.count()).where(Customer.merged_into_id.is_(None)).scalar_subquery()
    counted = connection.execute(select(reached, there_are)).one()
    return counted[0], counted[1]


def changes(
    connection: Connection, definition: Definition, staged: Staged, resolved: Table, *, limit: int
) -> list[Change]:
    """What changes, column by column, for at most ``limit`` rows in the order of the file."""
    rows, target = beside(definition, resolved), definition.stored
    names = [name for name in compared(definition, resolved) if name not in definition.unshown]
    labels: list[Any] = [staged.table.c[name] for name in definition.labels if name in staged.table.c]
    if staged.every_customer:
        labels.insert(0, select(Customer.ref).where(Customer.id == rows.c.customer_id).scalar_subquery())
    statement = (
        select(*(target.c[name] for name in names), *(rows.c[name] for name in names), *labels, rows.c.line)
        .join_from(rows, target, target.c.id == rows.c.existing_id)
        .join(staged.table, staged.table.c.line == rows.c.line)
        .where(rows.c.effect == "changed")
        .order_by(rows.c.line)
        .limit(limit)
    )
    differences = []
    for row in connection.execute(statement):
        olds, news = row[: len(names)], row[len(names) : 2 * len(names)]
        label = " · ".join(str(cell) for cell in row[2 * len(names) : -1])
        differences += [
            Change(row[-1], label, name, old, new)
            for name, old, new in zip(names, olds, news, strict=True)
            if old != new
        ]
    return differences


def write(
    connection: Connection,
    definition: Definition,
    resolved: Table,
    counts: Counts,
    *,
    run: ImportRun | None = None,
    now: datetime,
) -> None:
    """Update what changed, then insert what is new, as made by this import; unchanged rows are not touched."""
    run_id = None if run is None else run.id
    target, rows = definition.table, beside(definition, resolved, run_id)
    if definition.write is not None:
        definition.write(connection, Resolved(resolved, rows, (run and run.batch) or secrets.randbits(62), now))
        return
    if counts.changed:
        values: dict[str, Any] = {name: rows.c[name] for name in compared(definition, resolved)}
        if "version" in target.c:
            values["version"] = target.c.version + 1
        changed = (target.c.id == rows.c.existing_id, rows.c.effect == "changed")
        connection.execute(update(target).values(values).where(*changed))
    if counts.new:
        names = [column.name for column in resolved.columns if column.name != "line"]
        # A statement that also reads its target table must materialize its rows first.
        source: FromClause = rows if counts.changed or counts.unchanged else resolved
        fresh = select(*(source.c[name] for name in names), literal(run_id, Integer))
        if source is rows:
            fresh = fresh.where(rows.c.existing_id.is_(None))
        if definition.in_file_order:
            fresh = fresh.order_by(source.c.line)
        connection.execute(insert(target).from_select([*names, MARK], fresh))
