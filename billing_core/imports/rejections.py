"""Rows of a file that cannot be imported: why, what they have in common, and the rows themselves, to be repaired."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, BinaryIO, Final

from sqlalchemy import Select, Table, case, func, select
from sqlalchemy.engine import Connection

from billing_core.csv_text import marked_for_excel, rows_as_csv
from billing_core.imports import Kind, sources
from billing_core.imports.kind import EVERY_CUSTOMER
from billing_core.imports.mapping import REASON_COLUMN, FromColumns, Mapping

MOST_GROUPS: Final = 20
SHOWN_VALUES: Final = 10
# Of one row, which may be wrong for each of many customers.
MOST_REASONS: Final = 10


@dataclass(frozen=True, slots=True)
class Rejected:
    """``line`` is where the row begins in the file, from 1; ``column`` is the file's own name for it."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """Rejections of one column for the same reason: of so many ``rows``, the first on ``first_line``. ``field`` is our
    name of the column, empty where the row as a whole is wrong, and ``column`` the file's. ``values`` are the most
    frequent of ``value_count`` values, each with its rows.
    """

    field: str
    column: str
    reason: str
    rows: int
    first_line: int
    value_count: int
    values: tuple[tuple[str, int], ...]

    @property
    def needs(self) -> Kind | None:
        """What has to be imported first, for the rows to find what they name."""
        return next((kind for kind in Kind if f"; import {kind} first" in self.reason), None)

    @property
    def mendable(self) -> bool:
        """Whether it helps to say what its values, or blanks, are to be read as."""
        return bool(self.field) and (self.needs is not None or self.reason.startswith(("is not ", "is empty")))

    @property
    def advice(self) -> str:
        if self.needs is not None:
            return f"Import {self.needs} first, or say which is meant"
        if self.reason.startswith("is empty"):
            return "Say what a blank is to be read as, or fill them in"
        if self.mendable:
            return "Say what each is to be read as, or correct them"
        if self.reason.startswith("comes again"):
            return "Say whether the first or the last row of a key counts"
        if "decimals" in self.reason:
            return "Round them in the file: an import rounds nothing"
        return "Correct the rows, or leave them out"


def count(connection: Connection, rejections: Table) -> int:
    """How many rows of the file are rejected; a row may have several reasons."""
    return connection.scalar(select(func.count(func.distinct(rejections.c.line)))) or 0


def first(connection: Connection, rejections: Table, mapping: Mapping, *, limit: int) -> list[Rejected]:
    rows = connection.execute(_in_order(rejections).limit(limit))
    return [Rejected(row.line, _name(row.column_name, mapping), row.value or "", row.reason) for row in rows]


def groups(connection: Connection, rejections: Table, mapping: Mapping) -> list[Group]:
    """The largest groups, the one of most rows first."""
    columns, key = rejections.c, (rejections.c.column_name, rejections.c.alike)
    # Where all say the same it is said as it is, with its numbers.
    reason = case((func.min(columns.reason) == func.max(columns.reason), func.min(columns.reason)), else_=columns.alike)
    rows = func.count(func.distinct(columns.line))
    first_line = func.min(columns.line)
    value_count = func.count(func.distinct(columns.value))
    largest = (
        select(*key, reason, rows, first_line, value_count)
        .group_by(*key)
        .order_by(rows.desc(), first_line, columns.column_name)
        .limit(MOST_GROUPS)
    )
    found: Sequence[Any] = connection.execute(largest).all()
    values = _values(connection, rejections) if found else {}
    return [
        Group(field, _name(field, mapping), reason, rows, line, distinct, values.get((field, alike), ()))
        for field, alike, reason, rows, line, distinct in found
    ]


def _values(connection: Connection, rejections: Table) -> dict[tuple[str, str], tuple[tuple[str, int], ...]]:
    """The most frequent values of each group."""
    columns, key = rejections.c, (rejections.c.column_name, rejections.c.alike)
    value, rows = func.coalesce(columns.value, ""), func.count(func.distinct(columns.line))
    place = func.row_number().over(partition_by=key, order_by=(rows.desc(), func.min(columns.line)))
    counted = select(*key, value.label("value"), rows.label("rows"), place.label("place")).group_by(*key, value)
    ranked = counted.subquery("ranked")
    frequent = select(ranked).where(ranked.c.place <= SHOWN_VALUES).order_by(*list(ranked.c)[:2], ranked.c.place)
    grouped = groupby(connection.execute(frequent), key=lambda row: (row.column_name, row.alike))
    return {key: tuple((row.value, row.rows) for row in rows) for key, rows in grouped}


def waits_for(groups: Sequence[Group], refused: AnyMapping[Kind | None, str]) -> str:
    """Why a file waits for another that was refused, and would have brought what it names; empty where it waits for
    none. ``refused``: the names of these files, by kind.
    """
    return " ".join(
        f"Waits for {refused[group.needs]}, which was refused: {group.rows:,} of its rows name {group.needs.value} "
        "that are not there. Once they are, check it again."
        for group in groups
        if group.needs is not None and group.needs in refused
    )


def waits_for_everyone(mapping: Mapping, refused: AnyMapping[Kind | None, str]) -> str:
    """The same of a file that is for every customer: it would pass over those that are still to come."""
    if mapping.fixed.get("customer_ref") != EVERY_CUSTOMER or Kind.CUSTOMERS not in refused:
        return ""
    return (
        f"Waits for {refused[Kind.CUSTOMERS]}, which was refused: this file is for every customer, and would pass over "
        "those in it."
    )


def write_rows(
    connection: Connection,
    rejections: Table,
    mapping: Mapping,
    batches: Iterable[sources.Batch],
    layout: sources.Layout,
    target: BinaryIO,
) -> None:
    """The rejected rows of ``batches`` as they were read, and last why each was, in constant memory: to be repaired and
    dropped again. Safe to open in a spreadsheet.
    """
    kept = [place for place, name in enumerate(layout.header) if name != REASON_COLUMN]
    header = [*(layout.header[place] for place in kept), REASON_COLUMN]
    reasons = _reasons(connection, rejections, mapping)
    rows = _with_reasons(_rows(batches), reasons, layout, kept)
    target.writelines(marked_for_excel(rows_as_csv(header, rows, delimiter=layout.delimiter)))


def _reasons(connection: Connection, rejections: Table, mapping: Mapping) -> Iterator[tuple[int, str]]:
    result = connection.execute(_in_order(rejections).execution_options(yield_per=5_000))
    for line, found in groupby(result, key=lambda row: row.line):
        said = [_said(row, mapping) for row in found]
        more = [f"… and {len(said) - MOST_REASONS:,} more"] if len(said) > MOST_REASONS else []
        yield line, " · ".join(said[:MOST_REASONS] + more)


def _said(row: Any, mapping: Mapping) -> str:
    value = f"“{row.value}” " if row.value else ""
    return f"{_name(row.column_name, mapping)}: {value}{row.reason}" if row.column_name else str(row.reason)


def _rows(batches: Iterable[sources.Batch]) -> Iterator[tuple[int, list[str]]]:
    for batch in batches:
        yield from zip(batch.lines, batch.rows, strict=True)


def _with_reasons(
    rows: Iterator[tuple[int, list[str]]],
    reasons: Iterator[tuple[int, str]],
    layout: sources.Layout,
    kept: Sequence[int],
) -> Iterator[list[str]]:
    """A row that is too short stays as it is: filled up, it would pass for one whose last cells are blank."""
    for line, reason in reasons:
        row = next(cells for number, cells in rows if number == line)
        if len(row) == len(layout.header):
            row = [row[place] for place in kept]
        yield [*row, reason] if len(row) >= len(kept) else row


def _in_order(rejections: Table) -> Select[tuple[int, str, str, str]]:
    columns = rejections.c
    return select(columns.line, columns.column_name, columns.value, columns.reason).order_by(
        columns.line, columns.column_name
    )


def _name(field: str, mapping: Mapping) -> str:
    origin = mapping.get(field)
    return origin.named if isinstance(origin, FromColumns) else field
