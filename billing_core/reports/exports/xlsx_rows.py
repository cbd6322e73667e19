"""Rows of a sheet as the workbook's XML: text stays text however it begins, numbers keep each digit."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import islice
from xml.sax.saxutils import escape

# What a cell holds, ready to stand in the sheet; empty or None where there is no cell.
Content = str | None
# The XML around a cell's content: before the number of its row, after it, and behind the content.
Around = tuple[str, str, str]

_ROWS_TOGETHER = 500
# XML cannot hold these characters, and an underscore may begin what looks like one of them escaped.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_DAY_0 = date(1899, 12, 30).toordinal()
_FIRST_OF_MARCH_1900 = 61


def around_text(column: str, style: str) -> Around:
    """For a column by its letters, such as ``A``; ``style`` is an index into the workbook's styles."""
    return f'<c r="{column}', f'" s="{style}" t="inlineStr"><is>', "</is></c>"


def around_number(column: str, style: str) -> Around:
    """Also for days, which are numbers with a date style."""
    return f'<c r="{column}', f'" s="{style}"><v>', "</v></c>"


@lru_cache(maxsize=4_096)
def text(value: str | None) -> Content:
    if not value:
        return None
    written = escape(_UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", value))
    return f"<t>{written}</t>" if value == value.strip() else f'<t xml:space="preserve">{written}</t>'


@lru_cache(maxsize=4_096)
def day(value: date) -> str:
    """Days since the end of 1899, as Excel counts: it takes 1900 for a leap year."""
    number = value.toordinal() - _DAY_0
    return str(number if number >= _FIRST_OF_MARCH_1900 else number - 1)


def written(columns: Sequence[Around], rows: Iterable[Sequence[Content]], *, first: int) -> Iterator[bytes]:
    """The rows in chunks of XML; ``first`` is the number of the first of them."""
    numbered = enumerate(rows, first)
    while together := list(islice(numbered, _ROWS_TOGETHER)):
        yield "".join(_row(number, columns, row) for number, row in together).encode()


def _row(number: int, columns: Sequence[Around], row: Sequence[Content]) -> str:
    cells = [
        f"{before}{number}{between}{content}{behind}"
        for (before, between, behind), content in zip(columns, row, strict=True)
        if content
    ]
    return f'<row r="{number}">{"".join(cells)}</row>'
