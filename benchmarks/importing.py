"""Importing 1,000,000 order lines against a bare executemany of the same prepared rows into the same indexed table."""

import csv
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

import xlsxwriter
from python_calamine import CalamineWorkbook

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service, sources

LINES = 1_000_000
LINES_PER_ORDER = 4
SKUS = 5_000
RUNS = 3
BOOK_LINES = 300_000
READERS = ("calamine", "ours")
AIM = ">= 0.4"
FIRST_DAY = date(2024, 1, 1)


def run(scratch: Path) -> list[dict]:
    """Each measure in a database of its own, copied from the same one that already has the orders.

    Both sides take turns, and the median of each counts.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    source = scratch / "lines.csv"
    _write_lines(source)
    prepared = scratch / "prepared.sqlite3"
    _prepare(prepared)
    bare_runs, our_runs = [], []
    for _ in range(RUNS):
        bare_runs.append(_bare_executemany(_copy(prepared, scratch / "bare.sqlite3")))
        our_runs.append(_imported_elsewhere(_copy(prepared, scratch / "ours.sqlite3"), source))
    bare, ours = median(bare_runs), median(seconds for seconds, _ in our_runs)
    book = scratch / "lines.xlsx"
    _write_workbook(book)
    reads = {reader: [_read_elsewhere(reader, book) for _ in range(RUNS)] for reader in READERS}
    of_calamine, of_ours = (median(seconds for seconds, _ in reads[reader]) for reader in READERS)
    read_mb = max(growth for _, growth in reads["ours"])
    growth_mb = max(growth for _, growth in our_runs)
    return [
        {
            "name": f"import of {LINES:,} order lines, SQLite",
            "ours": round(LINES / ours),
            "limit": round(LINES / bare),
            "unit": "lines/s",
            "ratio": round(bare / ours, 2),
            "aim": AIM,
        },
        {
            "name": f"reading an .xlsx of {BOOK_LINES:,} lines, beside calamine",
            "ours": round(BOOK_LINES / of_ours),
            "limit": round(BOOK_LINES / of_calamine),
            "unit": "lines/s",
            "ratio": round(of_calamine / of_ours, 2),
            "aim": ">= 0.5",
        },
        {
            "name": "peak memory of that reading above idle",
            "ours": round(read_mb),
            "limit": 100,
            "unit": "MB",
            "ratio": round(read_mb / 100, 2),
            "aim": "<= 1",
        },
        {
            "name": "peak memory of that import above idle",
            "ours": round(growth_mb),
            "limit": 200,
            "unit": "MB",
            "ratio": round(growth_mb / 200, 2),
            "aim": "<= 1",
        },
    ]


def _rows():
    """(order number, sku, quantity), order by order as an ERP exports them."""
    for number in range(LINES // LINES_PER_ORDER):
        for line in range(LINES_PER_ORDER):
            yield f"SO-{number:07}", f"SKU-{(number * 7 + line * 1_237) % SKUS:05}", (number + line) % 40 + 1


def _write_lines(target: Path) -> None:
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("order_number", "sku", "quantity"))
        writer.writerows(_rows())


def _write_workbook(target: Path) -> None:
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("order_number", "sku", "quantity"))
        for line, row in enumerate(islice(_rows(), BOOK_LINES), start=1):
            sheet.write_row(line, 0, row)


def _read_elsewhere(reader: str, book: Path) -> tuple[float, float]:
    """Seconds and megabytes, as ``_imported_elsewhere``."""
    command = [sys.executable, "-m", "benchmarks.importing", reader, str(book)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    seconds, growth_mb = answer.stdout.split()
    return float(seconds), float(growth_mb)


def _read(reader: str, book: Path) -> tuple[float, float]:
    """All cells of a workbook as Python's: calamine's typed and all at once, ours as texts in batches."""
    idle = _peak_kb()
    started = time.perf_counter()
    if reader == "calamine":
        rows = len(CalamineWorkbook.from_path(book).get_sheet_by_index(0).to_python()) - 1
    else:
        with book.open("rb") as stream:
            layout = sources.read_layout(stream)
            rows = sum(len(batch.rows) for batch in sources.batches(stream, layout))
    seconds = time.perf_counter() - started
    if rows != BOOK_LINES:
        raise SystemExit(f"only {rows} of {BOOK_LINES} lines were read")
    return seconds, (_peak_kb() - idle) / 1024


def _prepare(file: Path) -> None:
    file.unlink(missing_ok=True)
    engine = connect(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state,"
            " postal_code, country, currency, tax_id, created_at, version)"
            " VALUES (1, 'cus_1', 'u', 1, 'C1', 'One', '', '', '', '', '', '', '', 'USD', '', '2024-01-01', 1)"
        )
        database.executemany(
            "INSERT INTO orders (number, customer_id, order_date, status, reference_number, ship_to_name,"
            " ship_to_address, ship_to_city, ship_to_state, ship_to_postal_code, ship_to_country, carrier, notes)"
            " VALUES (?, 1, ?, 'shipped', '', '', '', '', '', '', '', '', '')",
            (
                (f"SO-{number:07}", (FIRST_DAY + timedelta(days=number % 365)).isoformat())
                for number in range(LINES // LINES_PER_ORDER)
            ),
        )
    # Without its log, the file alone is the database.
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _copy(database: Path, target: Path) -> Path:
    target.unlink(missing_ok=True)
    return Path(shutil.copyfile(database, target))


def _bare_executemany(database: Path) -> float:
    """Seconds for the tuples alone: read, parsed and resolved beforehand, in the order of the file."""
    connection = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    ids = dict(connection.execute("SELECT number, id FROM orders"))
    rows = [(ids[number], sku, sku.upper(), 1, quantity * 1_000) for number, sku, quantity in _rows()]
    started = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO order_lines (order_id, sku, sku_key, position, quantity) VALUES (?, ?, ?, ?, ?)", rows
    )
    connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


def _imported_elsewhere(database: Path, source: Path) -> tuple[float, float]:
    """In a process of its own, so that its memory is its own: seconds, and megabytes above what it began with."""
    command = [sys.executable, "-m", "benchmarks.importing", str(database), str(source)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    seconds, growth_mb = answer.stdout.split()
    return float(seconds), float(growth_mb)


def _import(database: Path, source: Path) -> tuple[float, float]:
    sessions = Sessions(connect(f"sqlite:///{database}"))
    with sessions() as session:
        session.connection()
    idle = _peak_kb()
    with source.open("rb") as stream:
        started = time.perf_counter()
        outcome = service.apply(
            sessions, SYSTEM, service.Incoming(Kind.ORDER_ITEMS, stream, source.name), now=utc_now()
        )
        seconds = time.perf_counter() - started
    if outcome.new != LINES:
        raise SystemExit(f"only {outcome.new} of {LINES} lines were imported")
    return seconds, (_peak_kb() - idle) / 1024


def _peak_kb() -> int:
    """The most memory this process ever held. (getrusage would also count the parent that it was forked from.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    if sys.argv[1] in READERS:
        print(*_read(sys.argv[1], Path(sys.argv[2])))
    else:
        print(*_import(Path(sys.argv[1]), Path(sys.argv[2])))
