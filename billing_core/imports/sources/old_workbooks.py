"""Excel's old and binary workbooks, by calamine. They are read whole, so that they may not be large."""

import zipfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from billing_core.errors import Invalid
from billing_core.imports.sources import markup, unpacking
from billing_core.imports.sources.cell_texts import of_value
from billing_core.imports.sources.layout import Notes
from billing_core.imports.sources.shared_texts import within_limit

# A sheet of .xls has 65,536 rows at most; larger files hold pictures. Of .xlsb, this much unpacked.
_LARGEST: Final = 67_108_864
NumberedRow = tuple[int, list[str]]


class Workbook:
    """The rows of its sheets."""

    def __init__(self, stream: BinaryIO) -> None:
        _refuse_large(stream)
        # It takes a while to load, and hardly any file needs it.
        from python_calamine import CalamineError, CalamineWorkbook, PasswordError

        stream.seek(0)
        try:
            self._book = CalamineWorkbook.from_filelike(stream)
        except PasswordError:
            raise Invalid("The workbook is protected by a password. Save it without one and try again.") from None
        except (CalamineError, OSError, ValueError):
            raise Invalid(markup.DAMAGED) from None
        self.sheets: list[str] = self._book.sheet_names

    def rows(self, sheet: str, notes: Notes) -> Iterator[NumberedRow]:
        """The rows with cells, each with its number."""
        if sheet not in self.sheets:
            raise Invalid(f"The workbook has no sheet “{sheet}”. Its sheets are: {', '.join(self.sheets)}.")
        read = self._book.get_sheet_by_name(sheet)
        for line, row in enumerate(read.iter_rows(), start=1):
            texts = [within_limit(of_value(cell)) for cell in row]
            if any(texts):
                yield line, texts

    def close(self) -> None:
        self._book.close()


def _refuse_large(stream: BinaryIO) -> None:
    stream.seek(0)
    size = 0
    if stream.read(2) == b"PK":
        with zipfile.ZipFile(stream) as archive:
            for name in archive.namelist():
                for piece in unpacking.pieces(archive, name):
                    size += len(piece)
                    if size > _LARGEST:
                        break
    else:
        size = stream.seek(0, 2)
    if size > _LARGEST:
        raise Invalid("The workbook is too large for its old form. Save it as .xlsx and try again.")
