"""Searching a million invoices against searching a thousand: the first page of what is found, by texts that are on few,
on many and on none, in the invoice, in a line, or as a SKU of the orders that it bills.
"""

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from benchmarks import invoicing
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect, sqlite
from billing_core.database.migrate import upgrade
from billing_core.identity import SYSTEM
from billing_core.invoices import queries
from billing_core.invoices.queries import InvoiceFilter

MANY, FEW = 1_000_000, 1_000
TURNS = 15
SOUGHT = {
    "a whole number": "INV-2026-0000777",
    "the end of a number": "000777",
    "a customer of every 5,000th": "Cüstomer 777",
    "a customer's name, on one in fifty": "customer 42",
    "what every invoice has": "customer",
    "two letters": "77",
    "two letters that no invoice has": "zq",
    "two letters of a SKU in every line": "b-",
    "one figure": "7",
    "a reference": "PO-7919",
    "an amount": "10,77",
    "a text of one line": "delivery 7919,",
    "a SKU in a line of every 5,000th": "ab-4711",
    "a line that every invoice has": "pallets",
    "what the oldest 3,500 have": "oldest",
    "what the oldest 10,000 have": "inv-2026-000",
    "a SKU of a billed order": "zulu-4711",
    "nothing": "no such thing",
}


# Three lines each: one that some have, one that all have, and one of its own.
_LINES = """
INSERT INTO invoice_line_items (public_id, invoice_id, position, description, quantity, unit_price, type, tax_rate,
                                amount_minor, created_at)
    SELECT 'li_' || id || '_' || place, id, place, CASE place WHEN 1 THEN 'Picking, zone ' || (id % 200)
           WHEN 2 THEN CASE WHEN id <= 3500 THEN 'Storage of the oldest pallets' ELSE 'Storage of pallets' END
           ELSE 'Delivery ' || id || ', SKU AB-' || (id % 5000) END,
           1000000, 1000000, 'service', 0, 100, '2026-03-01 12:00:00.000000'
    FROM invoices JOIN (SELECT 1 AS place UNION ALL SELECT 2 UNION ALL SELECT 3) ORDER BY id, place
"""
# As they are kept: two of the orders that each invoice bills.
_SKUS = """
INSERT INTO billed_skus (invoice_id, words)
    SELECT id, 'box-' || (id % 7) || char(31) || 'zulu-' || (id % 5000) || char(31, 31) FROM invoices ORDER BY id
"""


def run(scratch: Path) -> list[dict]:
    many, few = (_company(scratch / f"{count}.sqlite3", count) for count in (MANY, FEW))
    rows = []
    for name, sought in SOUGHT.items():
        slow, fast = _in_turns(*(_searching(sessions, sought) for sessions in (many, few)))
        rows.append(
            {
                "name": f"first page by {name} of {MANY:,} against {FEW:,}",
                "ours": round(slow * 1000, 2),
                "limit": round(fast * 1000, 2),
                "unit": "ms",
                "ratio": round(slow / fast, 2),
                "aim": "<= 10",
            }
        )
    return rows


def _company(file: Path, invoices: int) -> Sessions:
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        session.add(
            Customer(id=1, business_id=1, ref="C1", name="Customer 1", currency="USD", created_at=invoicing.NOW)
        )
        session.flush()
        session.execute(text(invoicing._MANY), {"invoices": invoices})
        session.execute(text(_LINES))
        session.execute(text(_SKUS))
    sqlite.refresh_statistics(sessions.engine)
    return sessions


def _searching(sessions: Sessions, sought: str) -> Callable[[], object]:
    def search() -> object:
        with sessions() as session:
            return queries.page(session, SYSTEM, InvoiceFilter(text=sought), today=invoicing.TODAY)

    return search


def _in_turns(*searches: Callable[[], object]) -> list[float]:
    best = [float("inf")] * len(searches)
    for _ in range(TURNS):
        for place, search in enumerate(searches):
            start = time.perf_counter()
            search()
            best[place] = min(best[place], time.perf_counter() - start)
    return best
