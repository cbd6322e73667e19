"""A template as a workbook. Every cell is text, so that a spreadsheet changes neither 00123 nor a day that is typed."""

import io
from collections.abc import Sequence

from xlsxwriter import Workbook

_WIDTH = 18


def workbook(name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """One sheet of this name."""
    target = io.BytesIO()
    with Workbook(target, {"in_memory": True}) as book:
        text, bold = book.add_format({"num_format": "@"}), book.add_format({"num_format": "@", "bold": True})
        sheet = book.add_worksheet(name)
        sheet.set_column(0, len(header) - 1, _WIDTH, text)
        sheet.freeze_panes(1, 0)
        for place, title in enumerate(header):
            sheet.write_string(0, place, title, bold)
        for number, row in enumerate(rows, start=1):
            for place, cell in enumerate(row):
                if cell:
                    sheet.write_string(number, place, cell, text)
    return target.getvalue()
