"""Reading an unchecked text of separated cells: its dialect, and its rows in batches, in bounded memory.

A fault of the file as a whole is an ``Invalid`` that names the line, and the column where possible.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, BinaryIO, Final, TextIO

from billing_core.errors import Invalid
from billing_core.imports.sources import below, encodings, shape
from billing_core.imports.sources.encodings import text_of
from billing_core.imports.sources.layout import NO_HEADER, Batch, Chosen, Layout, Notes
from billing_core.imports.sources.limits import LONGEST_CELL, LONGEST_LINE, MOST_BLANK

DELIMITERS: Final = (",", ";", "\t", "|")
# Where none of those makes rows.
RARE_DELIMITERS: Final = ("\x1f", "\x01", "^", "~", "¦", "¬", ":")
_SAMPLE_CHARACTERS: Final = 65_536
_SAMPLE_ROWS: Final = 50
_SAYS_SEPARATOR: Final = re.compile(r'"?sep=(.)"?(?:\r\n|\n|\r)', re.IGNORECASE)


class StrayQuote(Invalid):
    """A quote stands where a file that quotes cells could not have it."""


def read_layout(stream: BinaryIO, chosen: Chosen) -> Layout:
    """Read the beginning of a seekable file, and all of it for its encoding."""
    encoding = encodings.Encoding(chosen.encoding) if chosen.encoding else encodings.find(stream)
    sample = _sample(stream, encoding.name)
    said = _SAYS_SEPARATOR.match(sample)
    delimiter = chosen.delimiter or (said[1] if said else _delimiter(sample))
    quoted = not _quotes_nothing(sample, delimiter)
    layout = Layout(
        (),
        delimiter,
        header_line=NO_HEADER,
        encoding=encoding.name,
        quoted=quoted,
        preamble=1 if said else 0,
        chosen=chosen,
    )
    found = shape.find(_first_rows(stream, layout), chosen.header_line)
    doubts = [*found.doubts, *([encoding.doubt] if encoding.doubt else [])]
    if not quoted:
        doubts.append("Quotes do not enclose cells in this file: they are taken as part of the text.")
    return replace(
        layout,
        header=found.header,
        header_line=found.header_line,
        preamble=max(layout.preamble, found.preamble),
        filled=found.filled,
        doubts=tuple(doubts),
    )


def batches(stream: BinaryIO, layout: Layout, notes: Notes, *, size: int) -> Iterator[Batch]:
    """All rows below the header, without blank lines, totals and footers."""
    return below.rows_of(_records(stream, layout, size=size), layout, notes, lambda: _aside(stream, layout))


def without_quotes(stream: BinaryIO, layout: Layout) -> Layout | None:
    """The layout of a file whose quotes enclose nothing; None unless every row proves it by its width. Reads all."""
    plain = replace(layout, quoted=False)
    doubt = "Quotes do not enclose cells in this file: they are taken as part of the text."
    for batch in _records(stream, plain, size=300):
        rows = [row for row in batch.rows if row]
        if set(map(len, rows)) - {len(layout.header)} or _any_enclosed(rows, layout.delimiter):
            return None
    return replace(plain, doubts=(*layout.doubts, doubt))


def _sample(stream: BinaryIO, encoding: str) -> str:
    """The beginning as text, without its incomplete last line, or what follows where it is blank. Wrong bytes are found
    later, with their line.
    """
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
    try:
        sample = text.read(_SAMPLE_CHARACTERS)
        while sample and sample.isspace():
            sample = text.read(_SAMPLE_CHARACTERS)
    finally:
        text.detach()
    if len(sample) < _SAMPLE_CHARACTERS:
        return sample
    return sample[: max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample


def _delimiter(sample: str) -> str:
    best = max(DELIMITERS, key=lambda candidate: _evenness(sample, candidate))
    if _splits_all(sample, best):
        return best
    # A rare sign within a text is no separator: it must split every line.
    return next((rare for rare in RARE_DELIMITERS if _splits_all(sample, rare)), best)


def _splits_all(sample: str, delimiter: str) -> bool:
    """Every line into as many cells; there are two lines at least."""
    widths = [len(row) for row in _parsed(sample, delimiter) if row]
    return len(widths) > 1 and len(set(widths)) == 1 and widths[0] > 1


def _evenness(sample: str, delimiter: str) -> tuple[int, int]:
    """How many rows have the most usual width, and that width; nothing where the separator makes no second cell."""
    widths = Counter(len(row) for row in _parsed(sample, delimiter) if len(row) > 1)
    if not widths:
        return 0, 0
    width, even = max(widths.items(), key=lambda item: (item[1], item[0]))
    return even, width


def _parsed(sample: str, delimiter: str) -> list[list[str]]:
    read = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    try:
        return list(islice((row for row in read if len(row) > 1 or "".join(row).strip()), _SAMPLE_ROWS))
    except csv.Error:  # a cell that is too long is reported when the records are read
        return [next(csv.reader(sample.splitlines()[:1], delimiter=delimiter), [""])]


def _quotes_nothing(sample: str, delimiter: str) -> bool:
    """Read as quoted the text is broken, and read as it stands its rows are even and no cell is enclosed in quotes."""
    if '"' not in sample or not _is_broken(sample, delimiter):
        return False
    lines = io.StringIO(sample, newline="")
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE) if row]
    except csv.Error:
        return False
    widest = max(map(len, rows), default=0)
    begins = next((place for place, row in enumerate(rows) if len(row) == widest), 0)
    table = rows[begins:]
    return (
        widest > 1
        and len(table) > 1
        and {len(row) for row in table} == {widest}
        and not _any_enclosed(table, delimiter)
    )


def _is_broken(sample: str, delimiter: str) -> bool:
    """Not where the sample alone ends within a quoted cell."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True)
    try:
        for _ in reader:
            pass
    except csv.Error as error:
        return "unexpected end" not in str(error) or len(sample) < _SAMPLE_CHARACTERS // 2
    return False


def _any_enclosed(rows: Sequence[Sequence[str]], delimiter: str) -> bool:
    """Whether quotes mean something in these rows that are read as they stand: a cell is enclosed in them. One that is
    opened alone is a fault too, but for files with tabs, which often quote nothing.
    """
    return any(
        (len(cell) > 1 and cell[-1] == '"') or (delimiter != "\t" and cell.count('"') == 1)
        for row in rows
        for cell in row
        if cell[:1] == '"'
    )


def _first_rows(stream: BinaryIO, layout: Layout) -> list[shape.Row]:
    """The first rows that are not blank. A fault after them is found when all are read. Invalid where more lines than
    any table begins with are blank: there may be rows far below.
    """
    rows: list[shape.Row] = []
    characters = blank = 0
    try:
        for batch in _records(stream, layout, size=1):
            if not batch.rows:
                continue
            row = batch.rows[0]
            if any(cell.strip() for cell in row):
                rows.append((batch.lines[0], row))
                characters += sum(map(len, row))
            else:
                blank += 1
            if len(rows) == shape.SAMPLE_ROWS or (rows and characters > _SAMPLE_CHARACTERS):
                break
            if blank > MOST_BLANK:
                if not rows:
                    raise Invalid(f"The first {MOST_BLANK:,} lines of the file are blank. Remove them and try again.")
                break
    except Invalid:
        if not rows:
            raise
    return rows


def _records(stream: BinaryIO, layout: Layout, *, size: int) -> Iterator[Batch]:
    """Every record after the header's line, and blank ones."""
    skipped = layout.first_line
    with text_of(stream, layout.encoding) as text:
        reader = _reader(text, layout)
        start = 0
        try:
            while True:
                start = reader.line_num + 1
                rows = list(islice(reader, size))
                if not rows:
                    return
                lines = _start_lines(start, reader.line_num, rows)
                if not isinstance(lines, range) and layout.delimiter == "\t" and layout.header:
                    _refuse_swallowed(lines, rows)
                if start <= skipped:
                    after = sum(line <= skipped for line in lines)
                    yield Batch(lines[after:], rows[after:])
                else:
                    yield Batch(lines, rows)
        except UnicodeDecodeError:
            raise encodings.undecodable(stream, layout.encoding) from None
        except UnicodeError as fault:
            raise Invalid(
                f"The file cannot be read as {encodings.CHOICES.get(layout.encoding, layout.encoding)}."
            ) from fault
        except (csv.Error, _LineTooLong) as error:
            raise _broken_record(stream, layout, str(error)) from None


def _aside(stream: BinaryIO, layout: Layout) -> Iterator[Batch]:
    """All records once more, while others are being read from the same stream."""
    place = stream.tell()
    try:
        yield from _records(stream, layout, size=300)
    finally:
        stream.seek(place)


def _reader(text: TextIO, layout: Layout) -> Any:
    # Strict: a stray quote is reported instead of swallowing what follows it.
    if layout.quoted:
        return csv.reader(_lines(text), delimiter=layout.delimiter, strict=True)
    return csv.reader(_lines(text), delimiter=layout.delimiter, strict=True, quoting=csv.QUOTE_NONE)


def _start_lines(first: int, last: int, rows: list[list[str]]) -> Sequence[int]:
    """On which line each record begins. Usually each has one line; a quoted line break makes it longer."""
    if last - first + 1 == len(rows):
        return range(first, last + 1)
    starts, line = [], first
    for row in rows:
        starts.append(line)
        line += 1 + sum(_breaks(cell) for cell in row if "\n" in cell or "\r" in cell)
    return starts


def _refuse_swallowed(lines: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
    """Texts with tabs often quote nothing: what stands between two quotes of different rows is no cell, and its lines
    have as many tabs as rows have.
    """
    for line, row in zip(lines, rows, strict=True):
        if any(_fills_rows(cell, place, len(row)) for place, cell in enumerate(row)):
            raise StrayQuote(f"Line {line:,}: a quote is closed on another line, with tabs between. Is it meant to be?")


def _fills_rows(cell: str, place: int, width: int) -> bool:
    """Whether the lines of a cell end one row, and begin another, of so many cells."""
    if "\n" not in cell or "\t" not in cell:
        return False
    tabs = [line.count("\t") for line in cell.split("\n")]
    return tabs[0] == width - 1 - place and tabs[-1] == place


def _breaks(cell: str) -> int:
    return cell.replace("\r\n", "\n").replace("\r", "\n").count("\n")


class _LineTooLong(Exception):
    pass


def _lines(text: TextIO) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
            raise _LineTooLong("line too long")
        yield line


def _broken_record(stream: BinaryIO, layout: Layout, error: str) -> Invalid:
    """Only for the refusal: reads up to the record that the csv module failed on."""
    header = layout.header
    with text_of(stream, layout.encoding) as text:
        reader = _reader(text, layout)
        start = 1
        try:
            for _ in reader:
                start = reader.line_num + 1
        except (csv.Error, _LineTooLong):
            pass
    if "field limit" in error or "line too long" in error:
        column = _longest_cell(stream, start, layout)
        if column is None:
            return Invalid(f"Line {start:,} is longer than {LONGEST_LINE:,} characters: no table is as wide.")
        name = f"“{_short(header[column])}”" if column < len(header) else str(column + 1)
        return Invalid(
            f"Line {start:,}, column {name}: the cell is longer than {LONGEST_CELL:,} characters. "
            "Is a quote left open before it?"
        )
    if "unexpected end" in error:
        return StrayQuote(f"Line {start:,}: a quote is opened and never closed.")
    return StrayQuote(f"Line {start:,}: a quote within a quoted cell is not doubled.")


def _longest_cell(stream: BinaryIO, start: int, layout: Layout) -> int | None:
    """The index (from 0) of the record's first cell beyond the limit; None where its cells are many instead."""
    place = length = 0
    quoted = False
    with text_of(stream, layout.encoding) as text:
        for number, line in enumerate(iter(lambda: text.readline(LONGEST_LINE), ""), start=1):
            if number < start:
                continue
            for character in line:
                if character == '"' and layout.quoted:
                    quoted = not quoted
                elif character == layout.delimiter and not quoted:
                    place, length = place + 1, 0
                    continue
                length += 1
                if length > LONGEST_CELL:
                    return place
            if len(line) == LONGEST_LINE:
                return None
    return place


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
