"""Rows of a file that cannot be imported, and why."""

from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import Select, Table, func, select
from sqlalchemy.engine import Connection

from billing_core.csv_text import marked_for_excel, rows_as_csv
from billing_core.imports.mapping import FromColumns, Mapping

HEADER = ("line", "column", "value", "reason")


@dataclass(frozen=True, slots=True)
class Rejected:
    """``line`` is where the row begins in the file, from 1; ``column`` is the file's own name for it."""

    line: int
    column: str
    value: str
    reason: str


def count(connection: Connection, rejections: Table) -> int:
    """How many rows of the file are rejected; a row may have several reasons."""
    return connection.scalar(select(func.count(func.distinct(rejections.c.line)))) or 0


def first(connection: Connection, rejections: Table, mapping: Mapping, *, limit: int) -> list[Rejected]:
    rows = connection.execute(_in_order(rejections).limit(limit))
    return [Rejected(row.line, _name(row.column_name, mapping), row.value or "", row.reason) for row in rows]


def write_csv(connection: Connection, rejections: Table, mapping: Mapping, target: BinaryIO) -> None:
    """All of them, in constant memory, safe to open in a spreadsheet."""
    result = connection.execute(_in_order(rejections).execution_options(yield_per=5_000))
    rows = ((row.line, _name(row.column_name, mapping), row.value, row.reason) for row in result)
    target.writelines(marked_for_excel(rows_as_csv(HEADER, rows)))


def _in_order(rejections: Table) -> Select[tuple[int, str, str, str]]:
    columns = rejections.c
    return select(columns.line, columns.column_name, columns.value, columns.reason).order_by(
        columns.line, columns.column_name
    )


def _name(field: str, mapping: Mapping) -> str:
    origin = mapping.get(field)
    return origin.named if isinstance(origin, FromColumns) else field
