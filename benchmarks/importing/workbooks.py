"""Reading an Excel workbook of 300,000 order lines to texts against calamine's own reading of it."""

import sys
import time
from pathlib import Path
from statistics import median

import xlsxwriter
from python_calamine import CalamineWorkbook

from benchmarks.importing import lines
from benchmarks.importing.processes import elsewhere, grown_mb, peak_kb
from billing_core.imports import sources

LINES = 300_000
RUNS = 3
READERS = ("calamine", "ours")
AIM = ">= 0.5"


def run(scratch: Path) -> list[dict]:
    """Both sides take turns, and the median of each counts."""
    book = scratch / "lines.xlsx"
    _write(book)
    reads: dict[str, list[tuple[float, float]]] = {reader: [] for reader in READERS}
    for _ in range(RUNS):
        for reader in READERS:
            reads[reader].append(elsewhere(__name__, reader, book))
    limit, ours = (median(seconds for seconds, _ in reads[reader]) for reader in READERS)
    growth_mb = max(growth for _, growth in reads["ours"])
    return [
        {
            "name": f"reading an .xlsx of {LINES:,} lines, beside calamine",
            "ours": round(LINES / ours),
            "limit": round(LINES / limit),
            "unit": "lines/s",
            "ratio": round(limit / ours, 2),
            "aim": AIM,
        },
        {
            "name": "peak memory of that reading above idle",
            "ours": round(growth_mb),
            "limit": 100,
            "unit": "MB",
            "ratio": round(growth_mb / 100, 2),
            "aim": "<= 1",
        },
    ]


def _write(target: Path) -> None:
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, lines.HEADER)
        for line, row in enumerate(lines.rows(LINES), start=1):
            sheet.write_row(line, 0, row)


def _read(reader: str, book: Path) -> tuple[float, float]:
    """All cells of a workbook as Python's: calamine's typed and all at once, ours as texts in batches."""
    idle = peak_kb()
    started = time.perf_counter()
    if reader == "calamine":
        rows = len(CalamineWorkbook.from_path(book).get_sheet_by_index(0).to_python()) - 1
    else:
        with book.open("rb") as stream:
            layout = sources.read_layout(stream)
            rows = sum(len(batch.rows) for batch in sources.batches(stream, layout))
    seconds = time.perf_counter() - started
    if rows != LINES:
        raise SystemExit(f"only {rows} of {LINES} lines were read")
    return seconds, grown_mb(idle)


if __name__ == "__main__":
    print(*_read(sys.argv[1], Path(sys.argv[2])))
