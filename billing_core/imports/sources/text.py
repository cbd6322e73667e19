"""Reading an unchecked file of separated cells: its dialect, and its rows in batches, in bounded memory.

A fault of the file as a whole is an ``Invalid`` that names the line, and the column where possible.
"""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO, TextIO

from billing_core.errors import Invalid
from billing_core.imports.sources.layout import Batch, Layout

DELIMITERS = (",", ";", "\t")
LONGEST_CELL = 131_072  # characters; also the csv module's own limit
LONGEST_LINE = 2_000_000
_SAMPLE_BYTES = 65_536
_SAMPLE_ROWS = 50

_SIGNATURES = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "an Excel workbook or another ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"SQLite format 3\x00", "a database"),
    (b"{\\rtf", "an RTF document"),
)
_AS_CSV = "Save it as “CSV UTF-8 (comma delimited)” and try again."


def read_layout(stream: BinaryIO) -> Layout:
    """Read the beginning of a seekable file. Invalid where it is not CSV with a header."""
    stream.seek(0)
    beginning = stream.read(_SAMPLE_BYTES)
    _refuse_other_formats(beginning)
    sample = _whole_lines(beginning)
    delimiter = max(DELIMITERS, key=lambda candidate: _evenness(sample, candidate))
    start = 1
    for batch in _records(stream, delimiter, size=1):
        start, row = batch.lines[0], batch.rows[0]
        if any(cell.strip() for cell in row):
            return Layout(_named(row), delimiter, start)
    raise Invalid("The file is empty: there is no line with the names of the columns.")


def batches(stream: BinaryIO, layout: Layout, *, size: int = 300) -> Iterator[Batch]:
    """All records after the header, without blank lines.

    Small batches stay in the processor's cache, and are freed before the garbage collector counts them.
    """
    for batch in _records(stream, layout.delimiter, size=size, header=layout):
        if all(batch.rows):
            yield batch
        else:
            filled = [(line, row) for line, row in zip(batch.lines, batch.rows, strict=True) if row]
            yield Batch([line for line, _ in filled], [row for _, row in filled])


def _records(stream: BinaryIO, delimiter: str, *, size: int, header: Layout | None = None) -> Iterator[Batch]:
    """Every record, or those after the header where it is known."""
    with _text(stream) as text:
        # Strict: a stray quote is reported instead of swallowing what follows it.
        reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
        start = 0
        try:
            while True:
                start = reader.line_num + 1
                rows = list(islice(reader, size))
                if not rows:
                    return
                lines = _start_lines(start, reader.line_num, rows)
                if header is not None and start <= header.header_line:
                    after = sum(line <= header.header_line for line in lines)
                    yield Batch(lines[after:], rows[after:])
                else:
                    yield Batch(lines, rows)
        except UnicodeDecodeError:
            raise _not_utf8(stream) from None
        except (csv.Error, _LineTooLong) as error:
            raise _broken_record(stream, delimiter, header, str(error)) from None


def _start_lines(first: int, last: int, rows: list[list[str]]) -> Sequence[int]:
    """On which line each record begins. Usually each has one line; a quoted line break makes it longer."""
    if last - first + 1 == len(rows):
        return range(first, last + 1)
    starts, line = [], first
    for row in rows:
        starts.append(line)
        line += 1 + sum(len(_breaks(cell)) for cell in row if "\n" in cell or "\r" in cell)
    return starts


def _breaks(cell: str) -> list[str]:
    return [part for part in cell.replace("\r\n", "\n").replace("\r", "\n") if part == "\n"]


class _LineTooLong(Exception):
    pass


def _lines(text: TextIO) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
            raise _LineTooLong("line too long")
        yield line


@contextmanager
def _text(stream: BinaryIO) -> Iterator[TextIO]:
    """The stream from its beginning as text with its line breaks as they are. Leaves it open."""
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        yield text
    finally:
        text.detach()


def _refuse_other_formats(beginning: bytes) -> None:
    if not beginning.strip():
        raise Invalid("The file is empty.")
    for signature, what in _SIGNATURES:
        if beginning.startswith(signature):
            raise Invalid(f"This is not a CSV file but {what}. {_AS_CSV}")
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Invalid(f"The file is encoded as UTF-16, not as UTF-8. {_AS_CSV}")
    if b"\0" in beginning:
        raise Invalid(f"This is not a CSV file: it contains binary data. {_AS_CSV}")
    opening = beginning.removeprefix(codecs.BOM_UTF8).lstrip()[:200].lower()
    if opening.startswith((b"<!doctype", b"<html", b"<?xml", b"<table")):
        raise Invalid(f"This is not a CSV file but a web page or XML. {_AS_CSV}")
    if opening.startswith((b"{", b"[")) and opening[1:].lstrip().startswith((b'"', b"{", b"[", b"]", b"}")):
        raise Invalid(f"This is not a CSV file but JSON. {_AS_CSV}")


def _whole_lines(beginning: bytes) -> str:
    """The sample as text, without its incomplete last record. Wrong bytes are found later, with their line."""
    text = beginning.decode("utf-8-sig", errors="replace")
    if len(beginning) < _SAMPLE_BYTES:
        return text
    return text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text


def _evenness(sample: str, delimiter: str) -> tuple[int, int]:
    try:
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        rows = [row for row in islice(reader, _SAMPLE_ROWS) if row]
    except csv.Error:  # a cell that is too long is reported when the records are read
        rows = [next(csv.reader(sample.splitlines()[:1], delimiter=delimiter), [""])]
    width = len(rows[0]) if rows else 1
    even = sum(len(row) == width for row in rows)
    return (0, 0) if width == 1 else (even, width)


def _named(row: list[str]) -> tuple[str, ...]:
    """The header's names; one without a name is named by its position. Two of the same name would be ambiguous."""
    names = tuple(cell.strip() or f"column {place}" for place, cell in enumerate(row, start=1))
    places: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        earlier = places.setdefault(name.casefold(), place)
        if earlier != place:
            raise Invalid(f"Columns {earlier} and {place} are both called “{_short(name)}”. Rename one of them.")
    return names


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _not_utf8(stream: BinaryIO) -> Invalid:
    """Only for the refusal: reads the file again to find the line."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    while chunk := stream.read(_SAMPLE_BYTES):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            wrong = error.object[error.start]
            line += error.object[pending : error.start].count(b"\n")
            return Invalid(f"Line {line:,} is not UTF-8 (byte 0x{wrong:02X}). {_AS_CSV}")
        line += chunk.count(b"\n")
    return Invalid(f"Line {line:,} is not UTF-8: the file ends within a character. {_AS_CSV}")


def _broken_record(stream: BinaryIO, delimiter: str, header: Layout | None, error: str) -> Invalid:
    """Only for the refusal: reads up to the record that the csv module failed on."""
    with _text(stream) as text:
        reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
        start = 1
        try:
            for _ in reader:
                start = reader.line_num + 1
        except (csv.Error, _LineTooLong):
            pass
    if "field limit" in error or "line too long" in error:
        column = _longest_cell(stream, start, delimiter)
        name = f"“{_short(header.header[column])}”" if header and column < len(header.header) else str(column + 1)
        return Invalid(
            f"Line {start:,}, column {name}: the cell is longer than {LONGEST_CELL:,} characters. "
            "Is a quote left open before it?"
        )
    if "unexpected end" in error:
        return Invalid(f"Line {start:,}: a quote is opened and never closed.")
    return Invalid(f"Line {start:,}: a quote within a quoted cell is not doubled.")


def _longest_cell(stream: BinaryIO, start: int, delimiter: str) -> int:
    """The index (from 0) of the record's first cell beyond the limit."""
    place = length = 0
    quoted = False
    with _text(stream) as text:
        for number, line in enumerate(iter(lambda: text.readline(LONGEST_LINE), ""), start=1):
            if number < start:
                continue
            for character in line:
                if character == '"':
                    quoted = not quoted
                elif character == delimiter and not quoted:
                    place, length = place + 1, 0
                    continue
                length += 1
                if length > LONGEST_CELL:
                    return place
    return place
