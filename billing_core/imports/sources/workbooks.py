"""Tables in workbooks: which sheet, which row names the columns, and the rows below it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, Protocol

from billing_core.errors import Invalid
from billing_core.imports.sources import below, ods, old_workbooks, shape, xlsx
from billing_core.imports.sources.layout import Batch, Chosen, Form, Layout, Notes

_SAMPLE_CELLS: Final = 20_000


class Workbook(Protocol):
    """An open workbook. ``sheets``: those that can be seen."""

    @property
    def sheets(self) -> list[str]: ...

    def rows(self, sheet: str, notes: Notes) -> Iterator[tuple[int, list[str]]]: ...

    def close(self) -> None: ...


def _open(stream: BinaryIO, form: Form) -> Workbook:
    if form is Form.XLSX:
        return xlsx.Workbook(stream)
    return ods.Workbook(stream) if form is Form.ODS else old_workbooks.Workbook(stream)


@contextmanager
def _opened(stream: BinaryIO, form: Form) -> Iterator[Workbook]:
    book = _open(stream, form)
    try:
        yield book
    finally:
        book.close()


def sheets_with_rows(stream: BinaryIO, form: Form) -> list[str]:
    """The sheets that hold more than a title."""
    with _opened(stream, form) as book:
        return _with_rows(book)


def _with_rows(book: Workbook) -> list[str]:
    return [sheet for sheet in book.sheets if len(_first_rows(book, sheet, most=2)) == 2]


def read_layout(stream: BinaryIO, form: Form, chosen: Chosen) -> Layout:
    """Of the chosen sheet, otherwise of the only one with rows. Invalid where there are several."""
    with _opened(stream, form) as book:
        sheet = chosen.sheet
        if sheet is None:
            filled = _with_rows(book) or book.sheets[:1]
            if not filled:
                raise Invalid("The workbook has no sheet with cells.")
            if len(filled) > 1:
                raise Invalid(f"Several sheets of the workbook have rows: {', '.join(filled)}. Say which one to read.")
            sheet = filled[0]
        found = shape.find(_first_rows(book, sheet, most=shape.SAMPLE_ROWS), chosen.header_line)
        return Layout(
            found.header,
            header_line=found.header_line,
            form=form,
            sheet=sheet,
            sheets=tuple(book.sheets),
            preamble=found.preamble,
            filled=found.filled,
            doubts=found.doubts,
            chosen=chosen,
        )


def _first_rows(book: Workbook, sheet: str, *, most: int) -> list[shape.Row]:
    rows: list[shape.Row] = []
    cells = 0
    for line, row in book.rows(sheet, Notes()):
        if any(cell.strip() for cell in row):
            rows.append((line, row))
            cells += len(row)
            if len(rows) == most or (len(rows) > 1 and cells > _SAMPLE_CELLS):
                break
    return rows


def batches(stream: BinaryIO, layout: Layout, notes: Notes, *, size: int) -> Iterator[Batch]:
    """All rows below the header, without blank ones, totals and footers."""
    return below.rows_of(
        _records(stream, layout, notes, size), layout, notes, lambda: _records(stream, layout, Notes(), 300)
    )


def _records(stream: BinaryIO, layout: Layout, notes: Notes, size: int) -> Iterator[Batch]:
    """Rows as wide as the header, unless they have cells beyond it; where rows are missing, a blank one."""
    width, expected = len(layout.header), layout.first_line + 1
    lines: list[int] = []
    rows: list[list[str]] = []
    with _opened(stream, layout.form) as book:
        for line, row in book.rows(layout.sheet, notes):
            if line < expected:
                continue
            if line > expected:
                lines.append(expected)
                rows.append([])
            lines.append(line)
            rows.append(row if len(row) == width else _as_wide(row, width))
            expected = line + 1
            if len(rows) >= size:
                yield Batch(lines, rows)
                lines, rows = [], []
    if rows:
        yield Batch(lines, rows)


def _as_wide(row: list[str], width: int) -> list[str]:
    while len(row) > width and not row[-1]:
        row.pop()
    return row + [""] * (width - len(row))
