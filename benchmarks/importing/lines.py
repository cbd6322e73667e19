"""Importing 1,000,000 order lines against a bare executemany of the same prepared rows into the same indexed table."""

import csv
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from benchmarks.importing.processes import bare, begun, copy, elsewhere, empty, grown_mb, whole
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service
from billing_core.imports.incoming import Incoming

LINES = 1_000_000
LINES_PER_ORDER = 4
SKUS = 5_000
RUNS = 3
AIM = ">= 0.4"
HEADER = ("order_number", "sku", "quantity")
FIRST_DAY = date(2024, 1, 1)


def run(scratch: Path) -> list[dict]:
    """Each measure in a database of its own, copied from the same one that already has the orders.

    Both sides take turns, and the median of each counts.
    """
    source = scratch / "lines.csv"
    _write_lines(source)
    prepared = _with_orders(empty(scratch / "prepared.sqlite3"))
    bare_runs, our_runs = [], []
    for _ in range(RUNS):
        bare_runs.append(_bare_executemany(copy(prepared, scratch / "bare.sqlite3")))
        our_runs.append(elsewhere(__name__, copy(prepared, scratch / "ours.sqlite3"), source))
    limit, ours = median(bare_runs), median(seconds for seconds, _ in our_runs)
    growth_mb = max(growth for _, growth in our_runs)
    return [
        {
            "name": f"import of {LINES:,} order lines, SQLite",
            "ours": round(LINES / ours),
            "limit": round(LINES / limit),
            "unit": "lines/s",
            "ratio": round(limit / ours, 2),
            "aim": AIM,
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


def rows(lines: int = LINES) -> Iterator[tuple[str, str, int]]:
    """(order number, sku, quantity), order by order as an ERP exports them."""
    for number in range(lines // LINES_PER_ORDER):
        for line in range(LINES_PER_ORDER):
            yield f"SO-{number:07}", f"SKU-{(number * 7 + line * 1_237) % SKUS:05}", (number + line) % 40 + 1


def _write_lines(target: Path) -> None:
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows())


def _with_orders(file: Path) -> Path:
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
    return whole(file)


def _bare_executemany(database: Path) -> float:
    """Seconds for the tuples alone: read, parsed and resolved beforehand, in the order of the file."""
    with closing(bare(database)) as connection:
        ids = dict(connection.execute("SELECT number, id FROM orders"))
        prepared = [(ids[number], sku, sku.upper(), 1, quantity * 1_000) for number, sku, quantity in rows()]
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO order_lines (order_id, sku, sku_key, position, quantity) VALUES (?, ?, ?, ?, ?)", prepared
        )
        connection.execute("COMMIT")
        return time.perf_counter() - started


def _import(database: Path, source: Path) -> tuple[float, float]:
    sessions, idle = begun(database)
    with source.open("rb") as stream:
        started = time.perf_counter()
        outcome = service.apply(sessions, SYSTEM, Incoming(Kind.ORDER_ITEMS, stream, source.name), now=utc_now())
        seconds = time.perf_counter() - started
    if outcome.new != LINES:
        raise SystemExit(f"only {outcome.new} of {LINES} lines were imported")
    return seconds, grown_mb(idle)


if __name__ == "__main__":
    print(*_import(Path(sys.argv[1]), Path(sys.argv[2])))
