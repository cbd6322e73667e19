"""Tables as files: texts in any encoding, workbooks, archives of them, and what stands around the rows."""

import csv
import gzip
import io
import zipfile
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

import xlsxwriter
from hypothesis import strategies as st

from tests.imports.generated.meanings import Holds
from tests.imports.generated.sheets import Sheet
from tests.imports.sources.workbooks import ods

ENCODINGS = {
    "plain": ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"),
    "western": ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "latin-1", "iso8859-15", "mac-roman", "cp850"),
    "polish": ("utf-8", "utf-8-sig", "utf-16", "cp1250", "iso8859-2"),
    "cyrillic": ("utf-8", "utf-8-sig", "utf-16", "cp1251", "koi8-r"),
    "chinese": ("utf-8", "utf-8-sig", "utf-16", "gb18030", "big5", "cp932"),
}
_TITLES = ("Customer Contact List", "Example Trading Ltd", "Export", "Period: 2026", "Zeitraum 01.01.2026 - 31.03.2026")
_TOTALS = ("Total", "TOTAL:", "Grand total", "Summe", "Gesamt", "Total (all)", "Subtotal", "Totale", "Total for 2026")
_FOOTERS = (
    "Generated on 2026-03-02 10:00",
    "End of report",
    "Page 1 of 1",
    "(3 rows)",
    "Saturday, Nov 28, 2026 03:22 PM",
)


@dataclass
class File:
    """``encoding``: what a person chooses when the letters look wrong. ``broken``: nothing of it may go in."""

    name: str
    content: bytes
    sheet: Sheet
    encoding: str | None = None
    headless: bool = False
    broken: bool = False


def packed(draw: st.DrawFn, sheet: Sheet, form: str, letters: str) -> File:
    """The table as a file of the form ``csv``, ``xlsx`` or ``ods``, perhaps in an archive."""
    around = draw(st.sampled_from(["", "", "", "totals", "footer", "titles", "all"]))
    before, rows, after = _around(draw, sheet, around)
    headless = draw(st.integers(0, 19)) == 0
    doubled = draw(st.integers(0, 9)) == 0
    sheet.traits |= {f"form: {form}"} | ({f"around: {around}"} if around else set())
    header: list[Any] = [*sheet.header]
    if doubled:
        header.append(draw(st.sampled_from(header)))
        rows = [[*row, "again"] if len(row) == len(sheet.header) else row for row in rows]
        sheet.traits.add("duplicate header")
    if headless:
        sheet.traits.add("no header")
    lines = [*before, *([] if headless else [header]), *rows, *after]
    if form == "csv":
        file = _text(draw, lines, sheet, letters)
    else:
        content = _xlsx(draw, lines, sheet) if form == "xlsx" else _ods(lines)
        file = File(f"export.{form}", content, sheet)
    file.headless = headless
    return _archived(draw, file)


def _around(draw: st.DrawFn, sheet: Sheet, around: str) -> tuple[list[list[Any]], list[list[Any]], list[list[Any]]]:
    before: list[list[Any]] = []
    after: list[list[Any]] = []
    if around in ("titles", "all"):
        before = [[title] for title in draw(st.lists(st.sampled_from(_TITLES), min_size=1, max_size=3, unique=True))]
        before += [[]] * draw(st.integers(0, 1))
    if around in ("totals", "all"):
        after.append(_totals(draw, sheet))
    if around in ("footer", "all"):
        after += [[]] * draw(st.integers(0, 1)) + [[draw(st.sampled_from(_FOOTERS))]]
    return before, sheet.rows, after


def _totals(draw: st.DrawFn, sheet: Sheet) -> list[Any]:
    sums: list[Any] = []
    for name in sheet.header:
        numbers = [row[name] for row in sheet.meant.rows if isinstance(row[name], Decimal)]
        written = next((row[sheet.header.index(name)] for row in sheet.rows if len(row) == len(sheet.header)), "")
        total = sum(numbers, Decimal(0))
        is_number = sheet.meant.shape.column(name).holds is Holds.NUMBER and numbers
        sums.append("" if not is_number else float(total) if isinstance(written, int | float) else f"{total:f}")
    sums[0] = draw(st.sampled_from(_TOTALS))
    return sums


def _text(draw: st.DrawFn, lines: list[list[Any]], sheet: Sheet, letters: str) -> File:
    separator = draw(st.sampled_from([",", ",", ";", "\t", "|"]))
    texts = [[str(cell) for cell in line] for line in lines]
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE]))
    if quoting == csv.QUOTE_NONE and any(set(cell) & {separator, "\n", '"'} for line in texts for cell in line):
        quoting = csv.QUOTE_MINIMAL
    end = draw(st.sampled_from(["\n", "\r\n", "\r\n", "\r"]))
    target = io.StringIO(newline="")
    if draw(st.integers(0, 9)) == 0:
        target.write(f"sep={separator}{end}")
        sheet.traits.add("sep= line")
    writer = csv.writer(target, delimiter=separator, quoting=quoting, lineterminator=end, quotechar='"')
    width = max(map(len, texts))
    trailing = draw(st.integers(0, 9)) == 0
    filled = draw(st.booleans())
    for line in texts:
        cells = [*line, *[""] * (width - len(line))] if filled and len(line) < 2 else line
        writer.writerow([*cells, ""] if trailing and len(cells) == width else cells)
    text = target.getvalue()
    encoding = draw(st.sampled_from(ENCODINGS[letters]))
    try:
        content = text.encode(encoding)
    except UnicodeEncodeError:
        encoding, content = "utf-8", text.encode()
    sheet.traits |= {f"encoding: {encoding}", f"separator: {separator!r}", f"quoting: {quoting}"}
    return File("export.csv", content, sheet, encoding)


def _xlsx(draw: st.DrawFn, lines: list[list[Any]], sheet: Sheet) -> bytes:
    target = io.BytesIO()
    from_1904 = draw(st.integers(0, 9)) == 0 and not any("serial" in readings for readings in sheet.readings.values())
    sheet.traits |= {"days from 1904"} if from_1904 else set()
    with xlsxwriter.Workbook(target, {"date_1904": from_1904}) as book:
        day = book.add_format(
            {"num_format": draw(st.sampled_from(["dd.mm.yyyy", "m/d/yy", "d mmm yyyy", "yyyy-mm-dd"]))}
        )
        plain = book.add_format({"num_format": draw(st.sampled_from(["General", "0", "#,##0.00", "0.00 €"]))})
        table = book.add_worksheet("Table")
        if draw(st.booleans()):
            book.add_worksheet("Empty")
        for at, line in enumerate(lines):
            for place, cell in enumerate(line):
                if isinstance(cell, date):
                    table.write_datetime(at, place, cell, day)
                elif isinstance(cell, int | float):
                    table.write_number(at, place, cell, plain)
                elif cell != "":
                    table.write_string(at, place, cell)
    return target.getvalue()


def _ods(lines: list[list[Any]]) -> bytes:
    return ods(*("".join(map(_ods_cell, line)) or "<table:table-cell/>" for line in lines))


def _ods_cell(cell: Any) -> str:
    if isinstance(cell, date):
        return f'<table:table-cell office:value-type="date" office:date-value="{cell}"/>'
    if isinstance(cell, int | float):
        return (
            f'<table:table-cell office:value-type="float" office:value="{cell}"><text:p>x</text:p></table:table-cell>'
        )
    if cell == "":
        return "<table:table-cell/>"
    parts = "".join(f"<text:p>{escape(part)}</text:p>" for part in str(cell).split("\n"))
    return f'<table:table-cell office:value-type="string">{parts}</table:table-cell>'


def _archived(draw: st.DrawFn, file: File) -> File:
    archive = draw(st.sampled_from(["", "", "", "", "gz", "zip"]))
    if archive == "gz":
        file.name, file.content = f"{file.name}.gz", gzip.compress(file.content)
    elif archive == "zip":
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(file.name, file.content)
            packed.writestr("__MACOSX/._export", b"\0\5\x16\7")
        file.name, file.content = "export.zip", target.getvalue()
    if archive or file.name.endswith(("xlsx", "ods")):
        file.sheet.traits |= {f"archive: {archive}"} if archive else set()
        if draw(st.integers(0, 29)) == 0:
            file.content, file.broken = file.content[: len(file.content) * 2 // 3], True
            file.sheet.traits.add("cut off")
    return file
