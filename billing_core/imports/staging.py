"""From cells to a temporary table: readable rows are staged in batches, the others become rejections.

A temporary table belongs to its connection and takes no lock that others would wait for.
"""

import itertools
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import compress
from typing import Any, BinaryIO

from sqlalchemy import Column, Integer, MetaData, String, Table, Text
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeEngine

from billing_core.csv_text import unescaped
from billing_core.database.loading import loader
from billing_core.imports import merging, sources
from billing_core.imports.cells import Unreadable
from billing_core.imports.kind import EVERY_CUSTOMER, Definition, Derived, DerivedTogether, Field, Setting, Staged
from billing_core.imports.mapping import REASON_COLUMN, FromColumns, Mapping
from billing_core.imports.rows.following import Following, followed
from billing_core.imports.words.answers import (
    LEFT_OUT,
    Answers,
    Questions,
    Tally,
    Vocabulary,
    WordAsked,
    WordRead,
    WordsFound,
)
from billing_core.imports.words.readers import UnknownWord

Rejection = tuple[int, str, str, str]
LONGEST_SHOWN = 120
_MEMORY = 50_000
_numbers = itertools.count(1)


def stage(
    connection: Connection,
    definition: Definition,
    stream: BinaryIO,
    layout: sources.Layout,
    mapping: Mapping,
    setting: Setting,
    *,
    advance: Callable[[int], None],
    following: Following | None = None,
) -> tuple[Staged, Table]:
    """Read the whole file. Returns its readable rows and its rejections.

    ``following``: which rows follow up on the one above. ``advance`` is called with the bytes read. Both tables live
    until they are dropped or the connection closes.
    """
    every_customer = definition.for_everyone and mapping.fixed.get("customer_ref") == EVERY_CUSTOMER
    fields = [item for item in definition.fields if item.name in mapping and not _for_everyone(item, every_customer)]
    derived = [
        item
        for item in definition.derived
        if isinstance(item, DerivedTogether) or item.source is None or item.source in mapping
    ]
    rows_table, rejections = _create_tables(connection, fields, derived)
    load = loader(connection, rows_table)
    reject = loader(connection, rejections)
    readers = [Reader(item, layout, mapping, setting) for item in fields]
    makers = [_maker(item, [field.name for field in fields], definition) for item in derived]
    tally = Tally()

    for batch in followed(sources.batches(stream, layout), layout, following):
        lines, columns, refused = read_batch(batch, readers, layout, tally)
        load([lines, *columns, *(made for make in makers for made in make(columns, len(lines)))])
        if refused:
            reject([*zip(*refused, strict=True), [merging.alike(reason) for *_, reason in refused]])
        advance(stream.tell())
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {rows_table.name}")
    words = WordsFound(
        tuple(word for reader in readers for word in reader.asked()),
        tally.left_out,
        tally.waiting,
        tuple(word for reader in readers for word in reader.told()),
    )
    return Staged(rows_table, frozenset(mapping), setting, every_customer, words), rejections


class Reader:
    """Reads one field's cells: many together, or each with a cache, as most cells of a column repeat."""

    def __init__(self, field: Field, layout: sources.Layout, mapping: Mapping, setting: Setting) -> None:
        self.field = field
        self.places: list[int] = []
        self._alternatives: list[list[int]] = []
        self.answers, self.questions = Answers(()), Questions()
        self._vocabulary = Vocabulary() if field.listed else None
        self._latest: Sequence[str] = ()
        origin = mapping[field.name]
        if isinstance(origin, FromColumns):
            self._alternatives = [[layout.header.index(name) for name in joined] for joined in origin.alternatives]
            self.places = [place for joined in self._alternatives for place in joined]
            self._named, self.answers = origin.named, Answers(origin.words)
        else:
            self.fixed = self._named = origin.value
        parse = partial(field.parse, zone=setting.time_zone) if field.in_zone else field.parse
        self.known = _Known(field, parse, self.answers)

    def values(self, columns: Sequence[Sequence[str]], count: int) -> list[Any]:
        """Those of so many cells; raises Unreadable where one has none."""
        if not self.places:
            return [self.known[self.fixed]] * count
        cells = columns[self.places[0]] if len(self.places) == 1 else self._of_several(columns)
        self._latest = cells
        values = None if self.field.together is None or self.answers else self.field.together(cells)
        return list(map(self.known.__getitem__, cells)) if values is None else values

    def cell(self, row: Sequence[str]) -> str:
        if len(self.places) == 1:
            return row[self.places[0]]
        return self._of_several([[cell] for cell in row])[0] if self.places else self.fixed

    def leaves_out(self, row: Sequence[str]) -> bool:
        """Whether it was said that rows with this word are left out."""
        return self.answers.leave_out and self.answers.leaves_out(self.cell(row))

    def asks(self, cell: str, unreadable: Unreadable) -> bool:
        """Whether people are asked what this stands for, instead of having each row rejected."""
        return bool(self.places) and isinstance(unreadable, UnknownWord) and self.questions.add(cell)

    def asked(self) -> list[WordAsked]:
        return self.questions.asked(self.field.name, self._named)

    def count(self, row: Sequence[str] | None = None) -> None:
        """That this row, or those of ``values``, were read."""
        if self._vocabulary is not None and self.places:
            self._vocabulary.add(self._latest if row is None else [self.cell(row)])

    def told(self) -> list[WordRead]:
        """How the words were read that have been counted."""
        if self._vocabulary is None:
            return []
        return self._vocabulary.told(self.field.name, self._named, self.known.__getitem__)

    def _of_several(self, columns: Sequence[Sequence[str]]) -> list[str]:
        """Of each row the first alternative that is filled."""
        written = [self._joined([columns[place] for place in joined]) for joined in self._alternatives]
        return [next(filter(None, cells), "") for cells in zip(*written, strict=True)]

    def _joined(self, columns: Sequence[Sequence[str]]) -> list[str]:
        joint = self.field.joint
        return [joint.join(filter(None, map(str.strip, cells))) for cells in zip(*columns, strict=True)]


class _Known(dict[str, Any]):
    """Cell text -> stored value; raises Unreadable for a cell that has none."""

    def __init__(self, field: Field, parse: Callable[[str], Any], answers: Answers) -> None:
        super().__init__()
        self._field, self._parse, self._answers = field, parse, answers

    def __missing__(self, cell: str) -> Any:
        written = unescaped(cell)
        if self._answers:
            written = self._answers.ours(written)
        if self._answers.leaves_out(cell):
            value = LEFT_OUT
        elif written and not written.isspace():
            value = _stored(self._parse(written), self._field)
        elif self._field.filled:
            raise Unreadable("is empty")
        else:
            value = self._field.blank
        if len(self) >= _MEMORY:
            self.clear()
        if len(cell) <= LONGEST_SHOWN:
            self[cell] = value
        return value


class _Computed(dict[Any, Any]):
    """Caches derived values, as ``_Known`` caches cells."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        super().__init__()
        self._compute = compute

    def __missing__(self, value: Any) -> Any:
        if len(self) >= _MEMORY:
            self.clear()
        self[value] = derived = self._compute(value)
        return derived


def read_batch(
    batch: sources.Batch, readers: Sequence[Reader], layout: sources.Layout, tally: Tally
) -> tuple[Sequence[int], list[list[Any]], list[Rejection]]:
    """The lines and the columns of the readable rows, and why the others are not."""
    width = len(layout.header)
    if set(map(len, batch.rows)) <= {width}:
        by_column = list(zip(*batch.rows, strict=True)) or [()] * width
        try:
            count = len(batch.rows)
            read = [reader.values(by_column, count) for reader in readers]
        except Unreadable:
            pass  # checked row by row below
        else:
            for reader in readers:
                reader.count()
            return *_without_left_out(batch.lines, read, readers, tally), []
    return _read_row_by_row(batch, readers, layout, tally)


def _without_left_out(
    lines: Sequence[int], columns: list[list[Any]], readers: Sequence[Reader], tally: Tally
) -> tuple[Sequence[int], list[list[Any]]]:
    """Without the rows of a word that was said to leave them out."""
    leaving = [column for reader, column in zip(readers, columns, strict=True) if reader.answers.leave_out]
    if not any(LEFT_OUT in column for column in leaving):
        return lines, columns
    stays = [LEFT_OUT not in cells for cells in zip(*leaving, strict=True)]
    tally.left_out += stays.count(False)
    return list(compress(lines, stays)), [list(compress(column, stays)) for column in columns]


def _read_row_by_row(
    batch: sources.Batch, readers: Sequence[Reader], layout: sources.Layout, tally: Tally
) -> tuple[Sequence[int], list[list[Any]], list[Rejection]]:
    width = len(layout.header)
    lines: list[int] = []
    columns: list[list[Any]] = [[] for _ in readers]
    refused: list[Rejection] = []
    for line, row in zip(batch.lines, batch.rows, strict=True):
        if not any(row) or not any(cell.strip() for cell in row):
            continue
        if len(row) == width - 1 and layout.header[-1] == REASON_COLUMN:
            row = [*row, ""]  # whoever repaired it has taken the reason away
        if len(row) != width:
            refused.append((line, "", shown(row[0]), f"the line has {len(row)} cells, the header has {width}"))
            continue
        if any(reader.leaves_out(row) for reader in readers):
            tally.left_out += 1
            continue
        values, reasons, waits = [], [], False
        for reader in readers:
            cell = reader.cell(row)
            try:
                values.append(reader.known[cell])
            except Unreadable as unreadable:
                if reader.asks(cell, unreadable):
                    waits = True
                else:
                    reasons.append((line, reader.field.name, shown(cell), str(unreadable)))
        if reasons:
            refused.extend(reasons)
            continue
        if waits:
            tally.waiting += 1
            continue
        lines.append(line)
        for reader in readers:
            reader.count(row)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return lines, columns, refused


def shown(cell: str) -> str:
    """A cell or file name as quoted in messages: short, without what no database can hold."""
    text = cell.strip()
    short = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
    return short.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _stored(value: Any, field: Field) -> Any:
    """As the driver takes it: scaled integers and ISO days, the same on every database."""
    if isinstance(value, Decimal):
        places = getattr(field.type, "places", 0)
        return int(value.scaleb(places))
    return value.isoformat() if isinstance(value, date) else value


def _for_everyone(field: Field, every_customer: bool) -> bool:
    return every_customer and field.name == "customer_ref"


def _maker(
    item: Derived | DerivedTogether, names: list[str], definition: Definition
) -> Callable[[list[list[Any]], int], Sequence[Sequence[Any]]]:
    """From the columns of some rows, and how many rows these are, to the derived columns."""
    if isinstance(item, DerivedTogether):
        places = [names.index(name) if name in names else None for name in item.sources]
        blanks = [definition.field(name).blank for name in item.sources]
        return lambda columns, count: item.compute(
            *([blank] * count if place is None else columns[place] for place, blank in zip(places, blanks, strict=True))
        )
    if item.source is None:
        return lambda _columns, count: [[item.compute() for _ in range(count)]]
    place = names.index(item.source)
    computed = _Computed(item.compute)
    return lambda columns, _count: [list(map(computed.__getitem__, columns[place]))]


def _derived_columns(item: Derived | DerivedTogether) -> Sequence[tuple[str, TypeEngine[Any]]]:
    return item.columns if isinstance(item, DerivedTogether) else [(item.name, item.type)]


def _create_tables(
    connection: Connection, fields: Sequence[Field], derived: Sequence[Derived | DerivedTogether]
) -> tuple[Table, Table]:
    number = next(_numbers)
    metadata = MetaData()
    rows = Table(
        f"staged_{number}",
        metadata,
        Column("line", Integer, primary_key=True, autoincrement=False),
        *(Column(item.name, item.type) for item in fields),
        *(Column(name, kind) for item in derived for name, kind in _derived_columns(item)),
        prefixes=["TEMPORARY"],
    )
    rejections = Table(
        f"rejected_{number}",
        metadata,
        Column("line", Integer),
        Column("column_name", String),
        Column("value", Text),
        Column("reason", Text),
        Column("alike", Text),
        prefixes=["TEMPORARY"],
    )
    metadata.create_all(connection, checkfirst=False)
    return rows, rejections
