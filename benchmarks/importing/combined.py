"""Importing a shop's export of 200,000 orders, their customers and 600,000 lines, against a bare executemany of the
same prepared rows into the same indexed tables.
"""

import csv
import sys
import time
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from benchmarks.importing.processes import bare, begun, copy, elsewhere, empty, grown_mb
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service
from billing_core.imports.incoming import Incoming

ORDERS = 200_000
LINES_PER_ORDER = 3
CUSTOMERS = 40_000
SKUS = 5_000
RUNS = 3
AIM = ">= 0.3"
FIRST_DAY = date(2025, 1, 1)
KINDS = (Kind.CUSTOMERS, Kind.ORDERS, Kind.ORDER_ITEMS)
HEADER = (
    "Name,Email,Financial Status,Fulfillment Status,Currency,Total,Shipping Method,Created at,Lineitem quantity,"
    "Lineitem name,Lineitem price,Lineitem sku,Billing Name,Billing Street,Billing City,Billing Zip,Billing Country,"
    "Shipping Name,Shipping Street,Shipping City,Shipping Zip,Shipping Country,Id,Phone"
).split(",")


def run(scratch: Path) -> list[dict]:
    """Both sides take turns, each in a new database, and the median of each counts."""
    export = scratch / "orders_export.csv"
    _write(export)
    prepared = empty(scratch / "empty.sqlite3")
    bare_runs, our_runs = [], []
    for _ in range(RUNS):
        bare_runs.append(_bare_executemany(copy(prepared, scratch / "bare.sqlite3")))
        our_runs.append(elsewhere(__name__, copy(prepared, scratch / "ours.sqlite3"), export))
    limit, ours = median(bare_runs), median(seconds for seconds, _ in our_runs)
    growth_mb = max(growth for _, growth in our_runs)
    lines = ORDERS * LINES_PER_ORDER
    return [
        {
            "name": f"import of {ORDERS:,} orders with {lines:,} lines from one file, SQLite",
            "ours": round(lines / ours),
            "limit": round(lines / limit),
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


def _order(number: int) -> tuple[str, str, str, str]:
    """Its number, its customer's e-mail address and name, and its day."""
    customer = number * 17 % CUSTOMERS
    day = (FIRST_DAY + timedelta(days=number % 365)).isoformat()
    return f"#{number + 1001}", f"buyer{customer:05}@example.com", f"Buyer {customer:05}", day


def _lines(number: int) -> list[tuple[str, int]]:
    return [
        (f"SKU-{(number * 7 + line * 1_237) % SKUS:05}", (number + line) % 5 + 1) for line in range(LINES_PER_ORDER)
    ]


def _write(target: Path) -> None:
    """As Shopify does: what an order's rows share stands in the first of them alone."""
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, restval="")
        writer.writeheader()
        for number in range(ORDERS):
            name, email, buyer, day = _order(number)
            shared = {
                "Financial Status": "paid",
                "Fulfillment Status": "fulfilled",
                "Currency": "USD",
                "Total": "50.00",
                "Shipping Method": "Standard",
                "Created at": f"{day} 10:00:00 +0000",
                "Id": str(5_000_000_000_000 + number),
            }
            for side in ("Billing", "Shipping"):
                shared |= {f"{side} Name": buyer, f"{side} Street": f"{number % 900} High St", f"{side} City": "Salem"}
                shared |= {f"{side} Zip": f"{10_000 + number % 80_000}", f"{side} Country": "US"}
            for place, (sku, quantity) in enumerate(_lines(number)):
                line = {"Name": name, "Email": email, "Lineitem quantity": quantity, "Lineitem sku": sku}
                writer.writerow(
                    line | {"Lineitem name": f"Mug {sku}", "Lineitem price": "9.50"} | (shared if not place else {})
                )


def _bare_executemany(database: Path) -> float:
    """Seconds for the tuples alone: read, parsed and resolved beforehand, in the order of the file."""
    ids: dict[str, int] = {}
    customers, orders, lines = [], [], []
    for number in range(ORDERS):
        name, email, buyer, day = _order(number)
        street, postal = f"{number % 900} High St", f"{10_000 + number % 80_000}"
        if email not in ids:
            ids[email] = len(ids) + 1
            customers.append((f"cus_{email}", email, email, email, buyer, buyer, email, email, street, "Salem", postal))
        orders.append((name, ids[email], day, buyer, street, "Salem", postal))
        counts: dict[str, int] = {}
        for sku, quantity in _lines(number):
            counts[sku] = counts.get(sku, 0) + 1
            lines.append((number + 1, sku, sku, counts[sku], quantity * 1_000))
    with closing(bare(database)) as connection:
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO customers (public_id, uuid, ref, ref_order, name, name_order, email, email_key, address, city,"
            " postal_code, business_id, phone, state, country, currency, tax_id, created_at, version)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, '', '', 'US', 'USD', '', '2025-01-01', 1)",
            customers,
        )
        connection.executemany(
            "INSERT INTO orders (number, customer_id, order_date, ship_to_name, ship_to_address, ship_to_city,"
            " ship_to_postal_code, status, reference_number, ship_to_state, ship_to_country, carrier, notes)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'shipped', '', '', 'US', 'Standard', '')",
            orders,
        )
        connection.executemany(
            "INSERT INTO order_lines (order_id, sku, sku_key, position, quantity) VALUES (?, ?, ?, ?, ?)", lines
        )
        connection.execute("COMMIT")
        return time.perf_counter() - started


def _import(database: Path, export: Path) -> tuple[float, float]:
    sessions, idle = begun(database)
    with export.open("rb") as stream:
        parts = [Incoming(kind, stream, export.name) for kind in KINDS]
        started = time.perf_counter()
        outcomes = service.apply_together(sessions, SYSTEM, parts, now=utc_now(), also=lambda _session, _found: None)
        seconds = time.perf_counter() - started
    if [outcome.new for outcome in outcomes] != [CUSTOMERS, ORDERS, ORDERS * LINES_PER_ORDER]:
        raise SystemExit(f"not all was imported: {[(outcome.new, outcome.rejections[:1]) for outcome in outcomes]}")
    return seconds, grown_mb(idle)


if __name__ == "__main__":
    print(*_import(Path(sys.argv[1]), Path(sys.argv[2])))
