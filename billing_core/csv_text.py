"""Text in CSV files: no spreadsheet may take a cell of ours for a formula, and every reader may open the file."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

# A spreadsheet takes these as the start of a formula, or looks at the next character to decide.
_STARTS_A_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
_NEEDS_QUOTES = re.compile('[",\r\n]')
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ROWS_A_CHUNK = 2_000


def harmless(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it as a formula.

    For text cells only: a number such as -5 is written as a number and needs none.
    """
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def unescaped(text: str) -> str:
    """A cell of a file as it was before ``harmless``: our own exports are read back as they were."""
    return text[1:] if text.startswith("'") and text.startswith(_STARTS_A_FORMULA, 1) else text


def quoted(text: str) -> str:
    """The text as a CSV cell between quotes."""
    return '"' + text.replace('"', '""') + '"'


def cell(text: str) -> str:
    """The text as a CSV cell: harmless, and between quotes only where it needs them."""
    safe = harmless(text)
    return quoted(safe) if _NEEDS_QUOTES.search(safe) else safe


def rows_as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]], *, delimiter: str = ",") -> Iterator[bytes]:
    """A CSV file in chunks of UTF-8: one header line, then each row; text cells are made harmless, None is empty."""
    buffer = StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(header)
    for number, row in enumerate(rows, 1):
        writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])
        if number % _ROWS_A_CHUNK == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def marked_for_excel(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same file with a byte order mark, without which Excel reads UTF-8 as something else."""
    yield BYTE_ORDER_MARK
    yield from chunks


def _taken(buffer: StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
