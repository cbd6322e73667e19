"""A list as CSV or as a workbook: the same columns and rows in both."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing_core.money import Money
from billing_core.reports.exports import xlsx_tables
from billing_core.reports.exports.formats import MEDIA_TYPES, Download, Format, csv_list
from billing_core.reports.exports.xlsx_rows import Content, day, text
from billing_core.reports.exports.xlsx_tables import Kind, Sheet

# Rows of texts, days and numbers; None is an empty cell. An amount is a number of its currency's decimals.
Rows = Iterable[Sequence[str | date | Decimal | int | None]]


@dataclass(frozen=True, slots=True)
class Column:
    """``name`` heads it in the CSV, ``title`` in the workbook, where it is so many characters wide."""

    name: str
    title: str
    width: int
    kind: Kind


def text_column(name: str, title: str, width: int = 18) -> Column:
    return Column(name, title, width, Kind.TEXT)


def day_column(name: str, title: str) -> Column:
    return Column(name, title, 12, Kind.DAY)


def number_column(name: str, title: str, width: int = 12) -> Column:
    return Column(name, title, width, Kind.NUMBER)


def amount_column(name: str, title: str) -> Column:
    return Column(name, title, 14, Kind.AMOUNT)


def amount(minor: int, currency: str) -> Decimal:
    """In major units. No text: one with a leading minus would be escaped, and not usable in formulas."""
    return Money(minor, currency).amount


def plain(number: Decimal) -> Decimal:
    """A rate, price or quantity without trailing zeros."""
    return Decimal(f"{number.normalize():f}")


def as_csv(name: str, columns: Sequence[Column], rows: Rows, *, for_excel: bool = False) -> Download:
    return csv_list(f"{name}.csv", [column.name for column in columns], rows, for_excel=for_excel)


def as_sheets(title: str, columns: Sequence[Column], count: int, rows: Rows) -> list[Sheet]:
    """The sheets of ``count`` rows: one, unless they are more than Excel takes."""
    kinds = [column.kind for column in columns]
    cells = ([_cell(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in rows)
    heads = [(column.title, column.width, column.kind) for column in columns]
    return list(xlsx_tables.sheets(title, heads, count, cells))


def as_workbook(name: str, title: str, sheets: Sequence[Sheet], *, now: datetime) -> Download:
    chunks: Iterator[bytes] = xlsx_tables.workbook(sheets, title=title, made_at=now)
    return Download(f"{name}.xlsx", MEDIA_TYPES[Format.XLSX], chunks)


def _cell(kind: Kind, value: Any) -> Content:
    if value is None:
        return None
    match kind:
        case Kind.TEXT:
            return text(str(value))
        case Kind.DAY:
            return day(value)
        case _:
            return f"{value:f}" if isinstance(value, Decimal) else str(value)
