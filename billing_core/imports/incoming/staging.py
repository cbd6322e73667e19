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
from billing_core.imports.rows.following import Following, follower
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


@dataclass(frozen=True, slots=True)
class Part:
    """What a file holds of one kind. ``following``: which of its rows follow up on the one above. ``newest``: it
    matters when a row was written.
    """

    definition: Definition
    mapping: Mapping
    following: Following | None = None
    newest: bool = False


def stage(
    connection: Connection,
    parts: Sequence[Part],
    stream: BinaryIO,
    layout: sources.Layout,
    setting: Setting,
    *,
    advance: Callable[[int], None],
) -> list[tuple[Staged, Table, Remarks]]:
    """Read the whole file, once for all of its parts. Returns of each its readable rows, its rejections, and what is to
    be said about how it is written. The file is read again from its beginning for a part of which a column proves to be
    written otherwise than its first cells seemed to be.

    ``advance`` is called with the bytes read. The tables live until they are dropped or the connection closes.
    """
    staging = [_Staging(connection, part, layout, setting) for part in parts]
    notes, left = sources.Notes(), staging
    while left:
        notes, reading = sources.Notes(), left
        for batch in sources.batches(stream, layout, notes):
            for one in reading:
                one.take(batch)
            advance(stream.tell())
            if any(one.misread for one in reading):
                reading = [one for one in reading if not one.misread]
                if not reading:
                    break
        left = [one for one in left if one.misread or one.at_odds]
        for one in left:
            one.begin_again()
    return [one.ended(notes) for one in staging]


class _Staging:
    """A part on its way into its tables."""

    def __init__(self, connection: Connection, part: Part, layout: sources.Layout, setting: Setting) -> None:
        self._connection, self._layout, self._setting = connection, layout, setting
        self._definition, self._mapping, self._following = part.definition, part.mapping, part.following
        everyone = part.definition.for_everyone and part.mapping.fixed.get("customer_ref") == EVERY_CUSTOMER
        self._every_customer = everyone
        self._fields = [
            item for item in part.definition.fields if item.name in part.mapping and not _for_everyone(item, everyone)
        ]
        if part.newest:
            self._fields.append(NEWEST_BY)
        self._derived = [
            item
            for item in part.definition.derived
            if isinstance(item, DerivedTogether) or item.source is None or item.source in part.mapping
        ]
        self._readers = [Reader(item, layout, part.mapping, setting) for item in self._fields]
        names = [field.name for field in self._fields]
        self._makers = [_maker(item, names, part.definition) for item in self._derived]
        self._begin()

    def _begin(self) -> None:
        self._table, self._rejections = _create_tables(self._connection, self._fields, self._derived)
        self._tally = Tally()
        self._ours = None if self._following is None else follower(self._layout, self._following)
        self._load = loader(self._connection, self._table)
        self._reject = loader(self._connection, self._rejections)
        self._left_out: Table | None = None
        if self._definition.kind is Kind.ORDERS and any(reader.answers.leave_out for reader in self._readers):
            self._tally.key = left_out_orders.KEY
            self._left_out = left_out_orders.table(self._connection, self._table.name.replace("staged", "left_out"))
        self._leave = None if self._left_out is None else loader(self._connection, self._left_out)

    def begin_again(self) -> None:
        """From the first row on, with what is known of its columns now."""
        for table in (self._table, self._rejections, self._left_out):
            if table is not None:
                table.drop(self._connection)
        for reader in self._readers:
            reader.read_again()
        self._begin()

    def take(self, batch: sources.Batch) -> None:
        """The next rows of the file."""
        ours = batch if self._ours is None else self._ours(batch)
        lines, columns, refused = read_batch(ours, self._readers, self._layout, self._tally)
        made = (column for make in self._makers for column in make(columns, len(lines)))
        self._load([lines, *columns, *made])
        if refused:
            self._reject([*zip(*refused, strict=True), [merging.alike(reason) for *_, reason in refused]])
        if self._leave is not None and self._tally.keys:
            self._leave([self._tally.keys])
            self._tally.keys.clear()

    @property
    def misread(self) -> bool:
        """Whether a column is written otherwise than it was read so far."""
        return any(reader.misread for reader in self._readers)

    @property
    def at_odds(self) -> bool:
        """Whether no one way of writing fits one of the columns, which only the whole file tells."""
        return any(reader.at_odds for reader in self._readers)

    def ended(self, notes: sources.Notes) -> tuple[Staged, Table, Remarks]:
        """``notes``: what was left out of the file."""
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(f"ANALYZE {self._table.name}")
        words = WordsFound(
            tuple(word for reader in self._readers for word in reader.asked()),
            self._tally.left_out,
            self._tally.waiting,
            tuple(word for reader in self._readers for word in reader.told()),
        )
        remarks = Remarks(
            [doubt for reader in self._readers for doubt in reader.doubts()],
            [note for reader in self._readers for note in reader.notes()],
            notes,
        )
        given = frozenset(self._mapping)
        staged = Staged(self._table, given, self._setting, self._every_customer, words, self._left_out)
        return staged, self._rejections, remarks


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
