"""Workbooks as bytes."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

import xlsxwriter

_at = datetime.fromisoformat
TYPED = [
    ["key", "price", "day", "moment", "share", "length", "flag", "thousandths"],
    ["00123", 1234.5, _at("2026-03-01"), _at("2026-03-01T10:30"), 0.19, timedelta(hours=30), True, 1.234],
    ["a < b & ü", 0.1, _at("1900-01-05"), _at("2026-03-01T00:00:01"), 1.5, timedelta(minutes=1), False, 12345],
    ["two\nlines", 1e15, _at("2028-02-29"), _at("2026-12-31T23:59:59"), 0.075, time(1, 2, 3), True, -2.5],
]
AS_TEXT = [
    ["00123", "1234.5", "2026-03-01", "2026-03-01 10:30:00", "19%", "30:00:00", "TRUE", "1.2340"],
    ["a < b & ü", "0.1", "1900-01-05", "2026-03-01 00:00:01", "150%", "0:01:00", "FALSE", "12345"],
    ["two\nlines", "1.000000000000000E+15", "2028-02-29", "2026-12-31 23:59:59", "7.5%", "1:02:03", "TRUE", "-2.5"],
]
FORMATS = [None, "#,##0.00 €", "dd.mm.yyyy", "d mmm yy h:mm", "0.00%", "[h]:mm:ss", None, '0.000" kg"']


def xlsx(sheets: Mapping[str, list[list[object]]], formats: Sequence[str | None] = (), **options: object) -> bytes:
    """A workbook with these sheets. ``formats`` are those of the columns below their names."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, options) as book:
        looks = [book.add_format({"num_format": code}) if code else None for code in formats]
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for line, row in enumerate(rows):
                for place, cell in enumerate(row):
                    sheet.write(line, place, cell, looks[place] if looks and line else None)
    return target.getvalue()


def changed(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """The same workbook with another text in one of its parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in source.namelist():
            data = source.read(name)
            assert name != part or old in data
            copy.writestr(name, data.replace(old, new) if name == part else data)
    return target.getvalue()


def ods(*rows: str, before: str = "") -> bytes:
    """A sheet “One” of OpenDocument with these rows of XML."""
    names = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"' for short in ("office", "table", "text")
    )
    extended = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    lines = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    content = (
        f"<office:document-content {names} {extended}><office:body><office:spreadsheet>{before}"
        f'<table:table table:name="One">{lines}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content})


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()
