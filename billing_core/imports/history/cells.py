"""Cells of rows as JSON in SQL: an object of columns, each as [before, after] in the form that the database has."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from sqlalchemy import JSON, ColumnElement, FromClause, Select, String, case, false, func, literal, or_, select, true
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

BEFORE, AFTER = 0, 1


class _written(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """A value as JSON. What is JSON itself is a text there, as its written form is kept."""

    type = String()
    inherit_cache = True


@compiles(_written, "sqlite")
def _written_on_sqlite(element: _written, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_quote({compiler.process(element.clauses, **options)})"


@compiles(_written, "postgresql")
def _written_on_postgresql(element: _written, compiler: SQLCompiler, **options: Any) -> str:
    return f"coalesce(CAST(to_json({compiler.process(element.clauses, **options)}) AS text), 'null')"


class _Cell(FunctionElement[Any]):
    """What stands at one place of a column in the JSON object."""

    inherit_cache = False

    def __init__(self, cells: ColumnElement[str], name: str, place: int, of: TypeEngine[Any]) -> None:
        super().__init__(cells)
        self.column, self.place, self.type = name, place, of


@compiles(_Cell, "sqlite")
def _cell_on_sqlite(element: _Cell, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **options)}, '$.{element.column}[{element.place}]')"


@compiles(_Cell, "postgresql")
def _cell_on_postgresql(element: _Cell, compiler: SQLCompiler, **options: Any) -> str:
    cells = compiler.process(element.clauses, **options)
    of, *_collation = compiler.dialect.type_compiler_instance.process(element.type).split(" COLLATE ")
    return f"CAST(CAST({cells} AS json) -> '{element.column}' ->> {element.place} AS {of})"


class _Has(FunctionElement[bool]):
    """Whether the JSON object has this column."""

    inherit_cache = False

    def __init__(self, cells: ColumnElement[str], name: str) -> None:
        super().__init__(cells)
        self.column = name


@compiles(_Has, "sqlite")
def _has_on_sqlite(element: _Has, compiler: SQLCompiler, **options: Any) -> str:
    return f"(json_type({compiler.process(element.clauses, **options)}, '$.{element.column}') IS NOT NULL)"


@compiles(_Has, "postgresql")
def _has_on_postgresql(element: _Has, compiler: SQLCompiler, **options: Any) -> str:
    cells = compiler.process(element.clauses, **options)
    return f"((CAST({cells} AS json) -> '{element.column}') IS NOT NULL)"


def differing(former: FromClause, now: FromClause, names: Sequence[str]) -> ColumnElement[str]:
    """The columns of these names that differ, as the JSON object."""
    return _object([(name, former.c[name], now.c[name]) for name in names], only_differing=True)


def any_differs(former: FromClause, now: FromClause, names: Sequence[str]) -> ColumnElement[bool]:
    return or_(false(), *(~same(former.c[name], now.c[name]) for name in names))


def whole(row: FromClause) -> ColumnElement[str]:
    """All columns of a row, without an after."""
    return _object([(column.name, column, None) for column in row.c], only_differing=False)


def cell(cells: ColumnElement[str], column: ColumnElement[Any], place: int) -> ColumnElement[Any]:
    """What the JSON object has for this column of a table: ``BEFORE``, or ``AFTER``."""
    return _Cell(cells, _name(column), place, column.type)


def has(cells: ColumnElement[str], column: ColumnElement[Any]) -> ColumnElement[bool]:
    return _Has(cells, _name(column))


def names_in(table: FromClause, cells: ColumnElement[str], dialect: str) -> Select[Any]:
    """Each column that occurs in the JSON objects of the table, once. Add ``where`` to say of which rows."""
    function = func.json_each(cells) if dialect == "sqlite" else func.json_object_keys(sql_cast(cells, JSON))
    occurring = function.table_valued("key", name="occurring")
    if dialect == "postgresql":
        occurring = occurring.render_derived()
    return select(occurring.c.key).select_from(table).join(occurring, true()).distinct()


def same(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
    return comparable(one).is_not_distinct_from(comparable(other))


def comparable(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """PostgreSQL has no equality for JSON; its stored text keeps the written form."""
    return sql_cast(value, String) if isinstance(value.type, JSON) else value


def _object(cells: Sequence[tuple[str, Any, Any]], *, only_differing: bool) -> ColumnElement[str]:
    nothing = literal("", String)
    parts: list[ColumnElement[str]] = []
    for name, before, after in cells:
        written = "null" if after is None else _written(comparable(after))
        part = literal(f',"{name}":[', String) + _written(comparable(before)) + literal(",", String) + written + "]"
        if only_differing:
            part = case((comparable(before).is_distinct_from(comparable(after)), part), else_=nothing)
        parts.append(part)
    joined = reduce(lambda all_of_them, part: all_of_them + part, parts)
    return literal("{", String) + func.substr(joined, 2) + "}"


def _name(column: ColumnElement[Any]) -> str:
    return str(getattr(column, "name", ""))
