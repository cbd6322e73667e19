"""The file formats, and a file being downloaded. Imports no library that writes one, so that all may import it."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from billing_core.csv_text import marked_for_excel, rows_as_csv


class Format(enum.StrEnum):
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    PDF = "pdf"


class Variant(enum.StrEnum):
    """Of the CSV: the four columns of the published document, or one line per charge with its full explanation."""

    SHORT = "short"
    LONG = "long"


MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PDF: "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Download:
    """A file being downloaded. ``chunks`` reads from the session that made it."""

    file_name: str
    media_type: str
    chunks: Iterator[bytes]


def csv_list(
    file_name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, for_excel: bool = False
) -> Download:
    """A list as CSV; ``for_excel`` marks it as UTF-8 the way Excel expects."""
    chunks = rows_as_csv(columns, rows)
    return Download(file_name, MEDIA_TYPES[Format.CSV], marked_for_excel(chunks) if for_excel else chunks)
