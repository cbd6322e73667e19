"""Export of a million charges, as the download route streams it, against a bare cursor with ``csv.writer``.

Both sides read the same join in the same order and write the same lines to a file; they take turns, and the median
of each counts. A process of its own measures how far memory rises above idle. The workbook is held against XlsxWriter
writing the same cells of a tenth as many charges, because a whole round of that would take minutes.
"""

import csv
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

from openpyxl import load_workbook
from xlsxwriter import Workbook

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.identity import SYSTEM
from billing_core.reports.exports import files

ORDERS = 125_000
SERVICES = 8
ROUNDS = 3
WORKBOOK_ORDERS = ORDERS // 10
_MEGABYTE = 1024

_FILL = """
WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {services})
INSERT INTO services (id, code, name, cost_type) SELECT i, 'S' || i, 'Service number ' || i, 'per_item' FROM s;
INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state, postal_code,
                       country, currency, tax_id, created_at, version)
    VALUES (1, 'cus_1', 'uuid-1', 1, 'C1', 'Customer', '', '', '', '', '', '', '', 'USD', '',
            '2025-01-01 00:00:00.000000', 1);
INSERT INTO rates (id, customer_id, service_id, unit_price, currency, valid_from, created_at)
    SELECT id, 1, id, 1250000, 'USD', '2025-01-01', '2025-01-01 00:00:00.000000' FROM services;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {orders})
INSERT INTO orders (id, number, customer_id, order_date, status, reference_number, ship_to_name, ship_to_address,
                    ship_to_city, ship_to_state, ship_to_postal_code, ship_to_country, carrier, notes)
    SELECT i, 'ORD-' || i, 1, date('2025-01-01', '+' || (i % 31) || ' days'), 'shipped', 'REF-' || i, 'Receiver ' || i,
           'Street ' || i, '', '', '', '', '', '' FROM n;
INSERT INTO billing_reports (id, uuid, customer_id, customer_name, period_start, period_end, services, version,
                             currency, total_minor, order_count, charge_count, question_count, output_format,
                             created_at, created_by)
    VALUES (1, 'uuid-1', 1, 'Customer', '2025-01-01', '2025-01-31', '', 1, 'USD', 0, {orders}, {charges}, 0,
            'json', '2025-02-01 00:00:00.000000', 'system');
INSERT INTO report_service_totals (report_id, service_id, service_name, cost_type, amount_minor, quantity, order_count)
    SELECT 1, id, name, cost_type, 0, 0, {orders} FROM services;
INSERT INTO report_orders (report_id, order_id, order_number, reference_number, order_date, status, ship_to_name,
                           ship_to_address, total_items, line_items, total_minor)
    SELECT 1, id, number, reference_number, order_date, status, ship_to_name, ship_to_address, 3000, 2, 0 FROM orders;
INSERT INTO report_charges (report_id, order_id, service_id, rate_id, quantity, unit_price, amount_minor)
    SELECT 1, o.id, s.id, s.id, 1000 * (1 + o.id % 20), 1250000, 125 * s.id * (1 + o.id % 20)
    FROM orders o, services s ORDER BY o.id, s.id;
ANALYZE;
"""
_SHORT = """
SELECT c.order_id, c.service_id, t.service_name, printf('%d.%02d', c.amount_minor / 100, c.amount_minor % 100)
FROM report_charges c JOIN report_service_totals t ON t.report_id = c.report_id AND t.service_id = c.service_id
WHERE c.report_id = 1 ORDER BY c.order_id, c.service_id
"""
_LONG = """
SELECT o.order_number, o.reference_number, o.order_date, o.status, o.ship_to_name, o.ship_to_address, s.code,
       t.service_name, t.cost_type, c.quantity, c.unit_price, c.tier, c.bound, c.matched, 'USD',
       printf('%d.%02d', c.amount_minor / 100, c.amount_minor % 100)
FROM report_charges c
JOIN report_orders o ON o.report_id = c.report_id AND o.order_id = c.order_id
JOIN report_service_totals t ON t.report_id = c.report_id AND t.service_id = c.service_id
JOIN services s ON s.id = c.service_id
WHERE c.report_id = 1 ORDER BY c.order_id, c.service_id
"""
_ORDER_CELLS = """
SELECT order_number, reference_number, julianday(order_date) - 2415018.5, status, ship_to_name, ship_to_address,
       total_items / 1e3, line_items, total_minor / 1e2
FROM report_orders WHERE report_id = 1 ORDER BY order_id
"""
_CHARGE_CELLS = """
SELECT o.order_number, o.reference_number, julianday(o.order_date) - 2415018.5, t.service_name, 'per item',
       c.quantity / 1e3, c.unit_price / 1e6, c.tier, c.bound, c.matched, c.amount_minor / 1e2
FROM report_charges c
JOIN report_orders o ON o.report_id = c.report_id AND o.order_id = c.order_id
JOIN report_service_totals t ON t.report_id = c.report_id AND t.service_id = c.service_id
WHERE c.report_id = 1 ORDER BY c.order_id, c.service_id
"""


def run(scratch: Path) -> list[dict]:
    database = scratch / "export.sqlite3"
    _build(database)
    rows = []
    for variant, statement, aim in (("short", _SHORT, ">= 0.8"), ("long", _LONG, "")):
        ours, limit = _take_turns(
            lambda variant=variant: _exported(database, "csv", variant, scratch / "ours.csv"),
            lambda statement=statement: _cursor(database, statement, scratch / "limit.csv"),
        )
        _expect_the_same(scratch / "ours.csv", scratch / "limit.csv", compare_cells=variant == "short")
        rows.append(
            _speed(f"CSV of {ORDERS * SERVICES:,} charges, {variant}, against sqlite3 + csv.writer", ours, limit, aim)
        )
    rows.append(_workbook_row(scratch))
    for output_format, variant in (("csv", "short"), ("csv", "long"), ("json", "short"), ("xlsx", "short")):
        above = _memory_above_idle(database, output_format, variant)
        rows.append(
            {
                "name": f"peak memory of {output_format}, {variant}, above idle",
                "ours": above,
                "limit": 200,
                "unit": "MB",
                "ratio": round(above / 200, 2),
                "aim": "<= 1" if output_format == "csv" else "",
            }
        )
    return rows


def _workbook_row(scratch: Path) -> dict:
    database = scratch / "workbook.sqlite3"
    _build(database, orders=WORKBOOK_ORDERS)
    ours, limit = _take_turns(
        lambda: _exported(database, "xlsx", "short", scratch / "ours.xlsx"),
        lambda: _bare_workbook(database, scratch / "limit.xlsx"),
    )
    _expect_the_same_sheets(scratch / "ours.xlsx", scratch / "limit.xlsx")
    charges = WORKBOOK_ORDERS * SERVICES
    return _speed(f"workbook of {charges:,} charges, against XlsxWriter", ours, limit, ">= 1", charges=charges)


def _bare_workbook(database: Path, target: Path) -> None:
    """The cells of the two long sheets by XlsxWriter's quickest way that keeps memory flat."""
    connection = sqlite3.connect(database)
    with Workbook(str(target), {"constant_memory": True}) as book:
        for name, statement in (("Orders", _ORDER_CELLS), ("Charges", _CHARGE_CELLS)):
            sheet = book.add_worksheet(name)
            for number, row in enumerate(connection.execute(statement), 1):
                for column, value in enumerate(row):
                    if isinstance(value, str):
                        sheet.write_string(number, column, value)
                    elif value is not None:
                        sheet.write_number(number, column, value)
    connection.close()


def _expect_the_same_sheets(ours: Path, limit: Path) -> None:
    one, other = (load_workbook(file, read_only=True) for file in (ours, limit))
    for name in ("Orders", "Charges"):
        rows = (book[name].iter_rows(min_row=2, values_only=True) for book in (one, other))
        # The third column is a day to the one, and its number to the other.
        assert all(left[:2] + left[3:] == right[:2] + right[3:] for left, right in zip(*rows, strict=True))


def _build(database: Path, *, orders: int = ORDERS) -> None:
    engine = connect(f"sqlite:///{database}")
    upgrade(engine)
    engine.dispose()
    with sqlite3.connect(database) as connection:
        connection.executescript(_FILL.format(services=SERVICES, orders=orders, charges=orders * SERVICES))
    connection.close()


def _take_turns(ours, limit) -> tuple[float, float]:
    """The median seconds of each, run in turns so that a busy minute hits both."""
    seconds = {ours: [], limit: []}
    for _ in range(ROUNDS):
        for side in (limit, ours):
            started = time.perf_counter()
            side()
            seconds[side].append(time.perf_counter() - started)
    return statistics.median(seconds[ours]), statistics.median(seconds[limit])


def _exported(database: Path, output_format: str, variant: str, target: Path) -> None:
    sessions = Sessions(connect(f"sqlite:///{database}"))
    with sessions() as session, target.open("wb") as file:
        for chunk in files.chunks(session, SYSTEM, 1, output_format, variant=variant):
            file.write(chunk)
    sessions.engine.dispose()


def _cursor(database: Path, statement: str, target: Path) -> None:
    connection = sqlite3.connect(database)
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["order_id", "service_id", "service_name", "amount"])
        writer.writerows(connection.execute(statement))
    connection.close()


def _expect_the_same(ours: Path, limit: Path, *, compare_cells: bool) -> None:
    """A fast export of something else would prove nothing."""
    with ours.open(newline="") as one, limit.open(newline="") as other:
        if compare_cells:
            assert all(left == right for left, right in zip(csv.reader(one), csv.reader(other), strict=True))
        else:
            assert sum(1 for _ in one) == sum(1 for _ in other)


def _speed(name: str, ours: float, limit: float, aim: str, *, charges: int = ORDERS * SERVICES) -> dict:
    return {
        "name": name,
        "ours": round(charges / ours),
        "limit": round(charges / limit),
        "unit": "charges/s",
        "ratio": round(limit / ours, 2),
        "aim": aim,
    }


def _memory_above_idle(database: Path, output_format: str, variant: str) -> int:
    command = [sys.executable, "-m", "benchmarks.exporting", str(database), output_format, variant]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _measure_memory(database: str, output_format: str, variant: str) -> None:
    """In a process of its own: megabytes that the peak rises above what was there before the export."""
    sessions = Sessions(connect(f"sqlite:///{database}"))
    with sessions() as session:
        idle = _peak_kilobytes()
        for chunk in files.chunks(session, SYSTEM, 1, output_format, variant=variant):
            del chunk
    print((_peak_kilobytes() - idle) // _MEGABYTE)


def _peak_kilobytes() -> int:
    """The most memory that this process ever held. Not ``getrusage``: that one remembers the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    _measure_memory(*sys.argv[1:])
