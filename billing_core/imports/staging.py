"""From cells to a temporary table: readable rows are staged in batches, the others become rejections.

A temporary table belongs to its connection and takes no lock that others would wait for.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import Column, Integer, MetaData, String, Table, Text
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeEngine

from billing_core.database.loading import loader
from billing_core.imports import Kind, merging, sources
from billing_core.imports.kind import (
    EVERY_CUSTOMER,
    NEWEST_BY,
    Definition,
    Derived,
    DerivedTogether,
    Field,
    Setting,
    Staged,
)
from billing_core.imports.mapping import Mapping
from billing_core.imports.reading import MEMORY, Reader, read_batch
from billing_core.imports.rows import left_out as left_out_orders
from billing_core.imports.rows.following import Following, followed
from billing_core.imports.words.answers import Tally, WordsFound
from billing_core.imports.writing.questions import Question

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Remarks:
    """About how the columns of a file are written: what only a person can say, and what people should know. ``source``:
    what was left out of the file.
    """

    questions: list[Question]
    notes: list[str]
    source: sources.Notes


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
    newest: bool = False,
) -> tuple[Staged, Table, Remarks]:
    """Read the whole file. Returns its readable rows, its rejections, and what is to be said about how it is written.
    The file is read again from its beginning where a column proves to be written otherwise than its first
    cells seemed to be.

    ``following``: which rows follow up on the one above. ``newest``: it matters when a row was written. ``advance`` is
    called with the bytes read. Both tables live until they are dropped or the connection closes.
    """
    every_customer = definition.for_everyone and mapping.fixed.get("customer_ref") == EVERY_CUSTOMER
    fields = [item for item in definition.fields if item.name in mapping and not _for_everyone(item, every_customer)]
    if newest:
        fields.append(NEWEST_BY)
    derived = [
        item
        for item in definition.derived
        if isinstance(item, DerivedTogether) or item.source is None or item.source in mapping
    ]
    readers = [Reader(item, layout, mapping, setting) for item in fields]
    makers = [_maker(item, [field.name for field in fields], definition) for item in derived]
    while True:
        rows_table, rejections = _create_tables(connection, fields, derived)
        tally, left_out = Tally(), None
        if definition.kind is Kind.ORDERS and any(reader.answers.leave_out for reader in readers):
            tally.key = left_out_orders.KEY
            left_out = left_out_orders.table(connection, rows_table.name.replace("staged", "left_out"))
        leave = None if left_out is None else loader(connection, left_out)
        notes = sources.Notes()
        load, reject = loader(connection, rows_table), loader(connection, rejections)
        for batch in followed(sources.batches(stream, layout, notes), layout, following):
            lines, columns, refused = read_batch(batch, readers, layout, tally)
            load([lines, *columns, *(made for make in makers for made in make(columns, len(lines)))])
            if refused:
                reject([*zip(*refused, strict=True), [merging.alike(reason) for *_, reason in refused]])
            if leave is not None and tally.keys:
                leave([tally.keys])
                tally.keys.clear()
            advance(stream.tell())
            if any(reader.misread for reader in readers):
                break
        else:
            if not any(reader.at_odds for reader in readers):
                break
        for table in (rows_table, rejections, *(() if left_out is None else (left_out,))):
            table.drop(connection)
        for reader in readers:
            reader.read_again()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {rows_table.name}")
    words = WordsFound(
        tuple(word for reader in readers for word in reader.asked()),
        tally.left_out,
        tally.waiting,
        tuple(word for reader in readers for word in reader.told()),
    )
    remarks = Remarks(
        [doubt for reader in readers for doubt in reader.doubts()],
        [note for reader in readers for note in reader.notes()],
        notes,
    )
    staged = Staged(rows_table, frozenset(mapping), setting, every_customer, words, left_out)
    return staged, rejections, remarks


class _Computed(dict[Any, Any]):
    """Caches derived values, as ``_Known`` caches cells."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        super().__init__()
        self._compute = compute

    def __missing__(self, value: Any) -> Any:
        if len(self) >= MEMORY:
            self.clear()
        self[value] = derived = self._compute(value)
        return derived


def _for_everyone(field: Field, every_customer: bool) -> bool:
    return every_customer and field.name == "customer_ref"


def _maker(
    item: Derived | DerivedTogether, names: list[str], definition: Definition
) -> Callable[[Sequence[Sequence[Any]], int], Sequence[Sequence[Any]]]:
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
