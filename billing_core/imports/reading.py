"""Reading the cells of some rows: column by column, or row by row where one of them has a fault."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import compress
from operator import not_
from typing import Any

from billing_core.csv_text import unescaped
from billing_core.imports import sources
from billing_core.imports.cells import Unreadable
from billing_core.imports.kind import Field, Setting
from billing_core.imports.mapping import REASON_COLUMN, FromColumns, Mapping
from billing_core.imports.words.answers import LEFT_OUT, Answers, Questions, Tally, Vocabulary, WordAsked, WordRead
from billing_core.imports.words.readers import UnknownWord
from billing_core.imports.writing import columns as writing
from billing_core.imports.writing.currencies import currencies_of
from billing_core.imports.writing.damage import PostalCodes
from billing_core.imports.writing.questions import Question

Rejection = tuple[int, str, str, str]
LONGEST_SHOWN = 120
MEMORY = 50_000


class Reader:
    """Reads one field's cells: many together, or each with a cache, as most cells of a column repeat."""

    def __init__(self, field: Field, layout: sources.Layout, mapping: Mapping, setting: Setting) -> None:
        self.field = field
        self.places: list[int] = []
        self._alternatives: list[list[int]] = []
        self.answers, self.questions = Answers(()), Questions()
        self._vocabulary = Vocabulary() if field.listed else None
        self._latest: Sequence[str] = ()
        self.column: writing.Column | None = None
        read: Callable[[str], str] | None
        origin = mapping[field.name]
        if isinstance(origin, FromColumns):
            self._alternatives = [[layout.header.index(name) for name in joined] for joined in origin.alternatives]
            self.places = [place for joined in self._alternatives for place in joined]
            self._named, self.answers = origin.named, Answers(origin.words)
            self.column = writing.column(field.written, origin.readings, setting.time_zone)
            read = None if self.column is None else self.column.read
        else:
            self.fixed = self._named = origin.value
            read = partial(writing.read_alone, field.written, zone=setting.time_zone)
        self.known = _Known(field, read, self.answers)
        # What a blank stands for, where that is told: how often it does is counted.
        self.blank = "" if field.listed else self.answers.ours("")
        self._blanks = 0

    def values(self, columns: Sequence[Sequence[str]], count: int) -> list[Any]:
        """Those of so many cells; raises Unreadable where one has none."""
        if not self.places:
            return [self.known[self.fixed]] * count
        cells = columns[self.places[0]] if len(self.places) == 1 else self._of_several(columns)
        self._latest = cells
        values = None if self.field.together is None or self.answers else self.field.together(cells)
        return list(map(self.known.__getitem__, cells)) if values is None else values

    @property
    def misread(self) -> bool:
        """Whether its column is written otherwise than it was read so far."""
        return self.column is not None and self.column.misread

    @property
    def at_odds(self) -> bool:
        """Whether no one way of writing fits its column."""
        return self.column is not None and self.column.at_odds

    @property
    def priced(self) -> bool:
        """Whether its cells name a currency."""
        return self.column is not None and self.column.priced

    def read_again(self) -> None:
        """From the first row on, with what is known of its column now."""
        self.known.clear()
        self.questions = Questions()
        self._vocabulary = Vocabulary() if self.field.listed else None
        self._blanks = 0
        if self.column is not None:
            self.column.again()

    def doubts(self) -> list[Question]:
        """What only a person can say about its column."""
        return [] if self.column is None else self.column.questions(self.field.name, self._named)

    def notes(self) -> list[str]:
        """What people should know about how its column was read."""
        return [] if self.column is None else self.column.notes(self._named)

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
        if not self.places or (self._vocabulary is None and not self.blank):
            return
        cells = self._latest if row is None else [self.cell(row)]
        if self._vocabulary is not None:
            self._vocabulary.add(cells)
        if self.blank:
            self._blanks += sum(not cell or cell.isspace() for cell in cells)

    def told(self) -> list[WordRead]:
        """How the words were read that have been counted."""
        if self._blanks:
            return [WordRead(self.field.name, self._named, "", self.blank, self._blanks)]
        if self._vocabulary is None:
            return []
        return self._vocabulary.told(self.field.name, self._named, self.known.__getitem__)

    def _of_several(self, columns: Sequence[Sequence[str]]) -> list[str]:
        """Of each row the first alternative that is filled."""
        written = [self._joined([columns[place] for place in joined]) for joined in self._alternatives]
        return [next(filter(None, cells), "") for cells in zip(*written, strict=True)]

    def _joined(self, columns: Sequence[Sequence[str]]) -> list[str]:
        if len(columns) == 1:
            return list(map(str.strip, columns[0]))
        joint = self.field.joint
        return [joint.join(filter(None, map(str.strip, cells))) for cells in zip(*columns, strict=True)]


class _Known(dict[str, Any]):
    """Cell text -> stored value; raises Unreadable for a cell that has none."""

    def __init__(self, field: Field, read: Callable[[str], str] | None, answers: Answers) -> None:
        super().__init__()
        self._field, self._read, self._answers = field, read, answers
        self._answered = bool(answers)

    def __missing__(self, cell: str) -> Any:
        written = unescaped(cell)
        if self._answered:
            written = self._answers.ours(written)
            value = LEFT_OUT if self._answers.leaves_out(cell) else self._value(written)
        else:
            value = self._value(written)
        if len(self) >= MEMORY:
            self.clear()
        if len(cell) <= LONGEST_SHOWN:
            self[cell] = value
        return value

    def _value(self, written: str) -> Any:
        """Blank is also what a spreadsheet wrote around nothing."""
        text = written if self._read is None or not written or written.isspace() else self._read(written)
        if text and not text.isspace():
            return _stored(self._field.parse(text), self._field)
        if self._field.filled:
            raise Unreadable("is empty")
        return self._field.blank


def read_batch(
    batch: sources.Batch, readers: Sequence[Reader], layout: sources.Layout, tally: Tally
) -> tuple[Sequence[int], list[Sequence[Any]], list[Rejection]]:
    """The lines and the columns of the readable rows, and why the others are not."""
    lines, columns, refused = _read_together(batch, readers, layout, tally)
    by_field = {reader.field.name: column for reader, column in zip(readers, columns, strict=True)}
    for place, reader in enumerate(readers):
        if isinstance(reader.column, PostalCodes):
            columns[place] = reader.column.restored(columns[place], by_field.get(reader.field.country))
    return lines, columns, refused


def _read_together(
    batch: sources.Batch, readers: Sequence[Reader], layout: sources.Layout, tally: Tally
) -> tuple[Sequence[int], list[Sequence[Any]], list[Rejection]]:
    """Column by column where nothing stands in the way."""
    width = len(layout.header)
    if set(map(len, batch.rows)) <= {width}:
        by_column = list(zip(*batch.rows, strict=True)) or [()] * width
        try:
            count = len(batch.rows)
            read: list[Sequence[Any]] = [reader.values(by_column, count) for reader in readers]
            if any(reader.priced for reader in readers):
                raise Unreadable
            if any(reader.blank for reader in readers) and any(LEFT_OUT in column for column in read):
                raise Unreadable  # blanks of rows that are left out do not count
        except Unreadable:
            pass  # checked row by row below
        else:
            for reader in readers:
                reader.count()
            return *_without_left_out(batch.lines, read, readers, tally), []
    return _read_row_by_row(batch, readers, layout, tally)


def _without_left_out(
    lines: Sequence[int], columns: list[Sequence[Any]], readers: Sequence[Reader], tally: Tally
) -> tuple[Sequence[int], list[Sequence[Any]]]:
    """Without the rows of a word that was said to leave them out."""
    leaving = [column for reader, column in zip(readers, columns, strict=True) if reader.answers.leave_out]
    if not any(LEFT_OUT in column for column in leaving):
        return lines, columns
    stays = [LEFT_OUT not in cells for cells in zip(*leaving, strict=True)]
    tally.left_out += stays.count(False)
    for reader, column in zip(readers, columns, strict=True):
        if reader.field.name == tally.key:
            gone = compress(column, map(not_, stays))
            tally.keys.extend(key for key in gone if key is not LEFT_OUT)
    return list(compress(lines, stays)), [list(compress(column, stays)) for column in columns]


def _read_row_by_row(
    batch: sources.Batch, readers: Sequence[Reader], layout: sources.Layout, tally: Tally
) -> tuple[Sequence[int], list[Sequence[Any]], list[Rejection]]:
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
            tally.keys.extend(_readable(row, readers, tally.key))
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
        if not reasons and not waits:
            reasons = list(_in_another_currency(line, row, readers, values))
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
    return lines, list(columns), refused


def _readable(row: Sequence[str], readers: Sequence[Reader], field: str) -> Iterator[str]:
    """The value of this field, where the row has one."""
    for reader in readers:
        if reader.field.name == field:
            with suppress(Unreadable):
                value = reader.known[reader.cell(row)]
                if value is not LEFT_OUT:
                    yield value


def _in_another_currency(
    line: int, row: Sequence[str], readers: Sequence[Reader], values: Sequence[Any]
) -> Iterator[Rejection]:
    """Prices of a row that name a currency which is not the row's own."""
    for reader in readers:
        if reader.priced and (named := currencies_of(cell := reader.cell(row))) is not None:
            own = next(
                (value for one, value in zip(readers, values, strict=True) if one.field.name == "currency"), None
            )
            if own is None:
                reason = "names a currency, and the row has none: map the column currency, or give all rows the same"
                yield line, reader.field.name, shown(cell), reason
            elif own not in named:
                yield line, reader.field.name, shown(cell), f"names another currency than that of its row, {own}"


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
