"""From staged rows to our tables, in sets: what is new, what changes, what is wrong, and the writing itself."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Enum,
    FromClause,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    case,
    delete,
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
from sqlalchemy.types import JSON, TypeEngine

from billing_core.database.types import BigId
from billing_core.imports.kinds import Definition, Staged

_OWN = ("line", "existing_id", "effect")


@dataclass(frozen=True, slots=True)
class Counts:
    new: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Change:
    """One column of one row that the file changes."""

    line: int
    column: str
    old: Any
    new: Any


def resolve(connection: Connection, definition: Definition, staged: Staged) -> Table:
    """The rows as our table would have them, each with the id of the row that it meets and whether that changes.

    Columns: ``line``, those of our table that the file gives, ``existing_id``, ``effect``.
    """
    chosen = definition.resolve(staged).subquery("chosen")
    target = definition.table
    names = [column.name for column in chosen.c if column.name != "line"]
    resolved = Table(
        staged.table.name.replace("staged", "resolved"),
        MetaData(),
        Column("line", Integer),
        *(Column(name, _plain_type(target.c[name].type)) for name in names),
        Column("existing_id", BigId),
        Column("effect", String),
        prefixes=["TEMPORARY"],
    )
    resolved.create(connection, checkfirst=False)
    effect = case(
        (target.c.id.is_(None), "new"),
        (differs(compared(definition, names), chosen, target), "changed"),
        else_="unchanged",
    )
    rows = select(chosen.c.line, *(chosen.c[name] for name in names), target.c.id, effect).outerjoin_from(
        chosen, target, _same_key(definition, target, chosen)
    )
    connection.execute(insert(resolved).from_select([column.name for column in resolved.columns], rows))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {resolved.name}")
    return resolved


def _plain_type(of: TypeEngine[Any]) -> TypeEngine[Any]:
    """Words stay words: a temporary table needs no CHECK of its own."""
    return String() if isinstance(of, Enum) else of


def given_columns(resolved: Table) -> list[str]:
    """The columns of our table for which the file has values."""
    return [column.name for column in resolved.columns if column.name not in _OWN]


def compared(definition: Definition, names: list[str]) -> list[str]:
    """The columns whose difference is a change."""
    return [name for name in names if name not in definition.keys and name not in definition.insert_only]


def differs(names: list[str], one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Is any of these columns another in the one row than in the other?"""
    return or_(false(), *(_comparable(one.c[name]).is_distinct_from(_comparable(other.c[name])) for name in names))


def _comparable(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """PostgreSQL has no equality for JSON; its text is stored as it was written."""
    return sql_cast(column, String) if isinstance(column.type, JSON) else column


def reject_repeated_keys(connection: Connection, definition: Definition, resolved: Table, rejections: Table) -> int:
    """A key that comes again with other content is rejected; with the same content its row is dropped, as it
    changes nothing. Returns how many were dropped."""
    repeated = (
        select(*_keys(definition, resolved), func.min(resolved.c.line).label("first_line"))
        .group_by(*_keys(definition, resolved))
        .having(func.count() > 1)
        .subquery("repeated")
    )
    if connection.execute(select(repeated).limit(1)).first() is None:
        return 0
    first, again = resolved.alias("first_row"), resolved.alias("again")
    pairs = (
        select(again.c.line)
        .join(repeated, _same_key(definition, again, repeated))
        .join(first, and_(first.c.line == repeated.c.first_line, _same_key(definition, first, again)))
        .where(again.c.line != first.c.line)
    )
    other = differs(compared(definition, given_columns(resolved)), again, first)
    reason = literal("comes again with other content; it was first on line ", String) + sql_cast(first.c.line, String)
    value = sql_cast(again.c[definition.keys[-1]], String)
    contradictions = pairs.where(other).with_only_columns(
        again.c.line, literal(definition.labels[-1], String), value, reason
    )
    add_rejections(connection, rejections, contradictions)
    same = pairs.where(~other).subquery("same")
    return connection.execute(delete(resolved).where(resolved.c.line.in_(select(same.c.line)))).rowcount


def add_rejections(connection: Connection, rejections: Table, found: Select[Any]) -> None:
    """``found`` selects (line, column, value, reason)."""
    connection.execute(insert(rejections).from_select(["line", "column_name", "value", "reason"], found))


def count_effects(connection: Connection, resolved: Table, *, dropped: int = 0) -> Counts:
    statement = select(resolved.c.effect, func.count()).group_by(resolved.c.effect)
    effects = {effect: int(number) for effect, number in connection.execute(statement)}
    return Counts(effects.get("new", 0), effects.get("changed", 0), effects.get("unchanged", 0) + dropped)


def changes(connection: Connection, definition: Definition, resolved: Table, *, limit: int) -> list[Change]:
    """What changes, column by column, for at most ``limit`` rows in the order of the file."""
    target = definition.table
    names = compared(definition, given_columns(resolved))
    statement = (
        select(
            resolved.c.line,
            *(target.c[name].label(f"old_{name}") for name in names),
            *(resolved.c[name].label(f"new_{name}") for name in names),
        )
        .join(target, target.c.id == resolved.c.existing_id)
        .where(resolved.c.effect == "changed")
        .order_by(resolved.c.line)
        .limit(limit)
    )
    return [
        Change(row.line, name, row[place], row[place + len(names)])
        for row in connection.execute(statement)
        for place, name in enumerate(names, start=1)
        if row[place] != row[place + len(names)]
    ]


def write(connection: Connection, definition: Definition, resolved: Table, counts: Counts) -> None:
    """Insert what is new and update what changed; what is unchanged is not touched."""
    names = given_columns(resolved)
    if counts.new:
        # In the order of the key, so that the index grows at its end.
        fresh = select(*(resolved.c[name] for name in names)).where(resolved.c.effect == "new")
        rows = fresh.order_by(*(resolved.c[key] for key in definition.keys))
        connection.execute(insert(definition.table).from_select(names, rows))
    if counts.changed:
        target = definition.table
        values: dict[str, Any] = {name: resolved.c[name] for name in compared(definition, names)}
        if "version" in target.c:
            values["version"] = target.c.version + 1
        connection.execute(
            update(target).values(values).where(target.c.id == resolved.c.existing_id, resolved.c.effect == "changed")
        )


def _keys(definition: Definition, rows: FromClause) -> list[ColumnElement[Any]]:
    return [rows.c[key] for key in definition.keys]


def _same_key(definition: Definition, one: FromClause, other: FromClause) -> ColumnElement[bool]:
    return and_(*(one.c[key] == other.c[key] for key in definition.keys))


def leave_out(connection: Connection, resolved: Table, rejections: Table) -> None:
    """Rejected rows do not count as new, changed or unchanged."""
    connection.execute(delete(resolved).where(resolved.c.line.in_(select(rejections.c.line))))
