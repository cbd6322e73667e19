"""Invoices created and sent, against bare inserts of the same rows; and the list of a million invoices.

Sending counts seconds of the processor, so that neither other work nor the disk's answers to each commit are in it:
both sides wait for those alike.
"""

import sqlite3
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect, sqlite
from billing_core.database.folding import fold
from billing_core.database.migrate import upgrade
from billing_core.identity import SYSTEM
from billing_core.invoices import queries, service
from billing_core.invoices.content.content import Content, DraftLine
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import LISTED, LineType
from billing_core.invoices.queries import InvoiceFilter

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = date(2026, 3, 1)
INVOICES = 500
BATCH = 500
ROUNDS = 5
# Invoices a second that are asked for: a transaction each, and in batches.
AIMS = {1: 500, BATCH: 2_000}
MANY = 1_000_000
PAGE = 50
CONTENT = Content(
    business_id=1,
    customer_id=1,
    currency="USD",
    issued_on=TODAY,
    customer_name="Customer 1",
    customer_email="ap@customer.example",
    payment_terms="Net 30",
    lines=(
        DraftLine("Picking", Decimal("1234.5"), Decimal("0.25"), LineType.SERVICE, Decimal(19)),
        DraftLine("Cartons", Decimal(40), Decimal("1.999"), LineType.PRODUCT, Decimal(19)),
        DraftLine("Set-up", Decimal(1), Decimal(150), LineType.FEE, Decimal(7)),
    ),
)

# Every table in which sending an invoice writes, and how its rows say to which invoice they belong.
WRITTEN = {
    "invoices": "id",
    "invoice_line_items": "invoice_id",
    "invoice_events": "invoice_id",
    "audit_entries": "CAST(subject_id AS INTEGER)",
    "ledger_entries": "CAST(substr(document, 9) AS INTEGER)",
    "ledger_postings": "(SELECT CAST(substr(document, 9) AS INTEGER) FROM ledger_entries e WHERE e.id = entry_id)",
    "ledger_unsealed": "(SELECT CAST(substr(document, 9) AS INTEGER) FROM ledger_entries e WHERE e.id = entry_id)",
}
_MANY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :invoices)
INSERT INTO invoices (public_id, token, business_id, customer_id, state, number, series, sequence, currency, issued_on,
                      due_on, payment_terms, notes, reference, customer_name, customer_email, customer_address,
                      customer_tax_id, language, subtotal_minor, tax_minor, total_minor, paid_minor, credited_minor,
                      written_off_minor, refunded_minor, sent_at, paid_at, payment_failure, hold_reason, created_at,
                      created_by, updated_at, version)
    SELECT 'inv_' || i, 'token-' || i, 1, 1, CASE WHEN i % 10 = 0 THEN 'open' ELSE 'paid' END,
           'INV-2026-' || printf('%07d', i), 'INV-2026-{seq:7}', i, CASE i % 4 WHEN 0 THEN 'EUR' ELSE 'USD' END,
           date('2023-03-01', '+' || (i / 913) || ' days'), date('2023-03-31', '+' || (i / 913) || ' days'), 'Net 30',
           '', 'PO-' || (i * 7919 % 1000003), 'Customer ' || (i % 5000), 'ap@customer.example', '', '', 'en',
           1000 + i % 90000, 0, 1000 + i % 90000, CASE WHEN i % 10 = 0 THEN 0 ELSE 1000 + i % 90000 END, 0, 0, 0,
           '2026-03-01 12:00:00.000000', '2026-03-01 12:00:00.000000', '', '', '2026-03-01 12:00:00.000000',
           'benchmark', '2026-03-01 12:00:00.000000', 1
    FROM n
"""


def run(scratch: Path) -> list[dict]:
    return [*_sending(scratch), *_listing(scratch)]


def _sending(scratch: Path) -> list[dict]:
    ours: dict[int, list[float]] = {1: [], BATCH: []}
    bare: dict[int, list[float]] = {1: [], BATCH: []}
    for turn in range(ROUNDS):
        for size in (1, BATCH):
            sessions = _company(scratch / f"ours-{turn}-{size}.sqlite3")
            _send(sessions, size, size)
            ours[size].append(_processor(lambda: _send(sessions, size, INVOICES)))  # noqa: B023 - called at once
            rows = _rows(scratch / f"ours-{turn}-{size}.sqlite3")
            file = scratch / f"bare-{turn}-{size}.sqlite3"
            _company(file)
            bare[size].append(_processor(lambda: _insert(file, rows, size)))  # noqa: B023 - called at once
    rows = []
    for size, name in ((1, "invoices sent, a transaction each"), (BATCH, f"invoices sent in batches of {BATCH}")):
        reached, limit = _rate(ours[size]), _rate(bare[size])
        rows.append(_row(f"{name}, a core: aim of {AIMS[size]}/s", reached, AIMS[size], "invoices/s", ">= 1"))
        rows.append(_row(f"{name}, against bare inserts", reached, limit, "invoices/s", ""))
    return rows


def _send(sessions: Sessions, size: int, count: int) -> None:
    for _ in range(count // size):
        with sessions.begin() as session:
            if size == 1:
                draft = service.create(session, SYSTEM, CONTENT, now=NOW)
                service.send(session, SYSTEM, draft.id, now=NOW)
            else:
                drafts = service.create_many(session, SYSTEM, [CONTENT] * size, now=NOW)
                service.send_many(session, SYSTEM, drafts, now=NOW)


def _rows(file: Path) -> list[list[tuple[str, list[tuple]]]]:
    """Of each invoice: the statements that insert what was written for it, with their values."""
    connection = sqlite3.connect(file)
    found: dict[int, list[tuple[str, list[tuple]]]] = {}
    for table, owner in WRITTEN.items():
        kept = [name for _, name, *_, hidden in connection.execute(f"PRAGMA table_xinfo({table})") if not hidden]
        insertion = f"INSERT INTO {table} ({', '.join(kept)}) VALUES ({', '.join('?' * len(kept))})"
        of_one: dict[int, list[tuple]] = {}
        for invoice_id, *values in connection.execute(f"SELECT {owner}, {', '.join(kept)} FROM {table}"):
            of_one.setdefault(invoice_id, []).append(tuple(values))
        for invoice_id, rows in of_one.items():
            found.setdefault(invoice_id, []).append((insertion, rows))
    connection.close()
    return list(found.values())[-INVOICES:]


def _insert(file: Path, invoices: list[list[tuple[str, list[tuple]]]], size: int) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    # The triggers that searches rely on call it.
    connection.create_function("folded", 1, fold, deterministic=True)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    for start in range(0, len(invoices), size):
        connection.execute("BEGIN IMMEDIATE")
        together: dict[str, list[tuple]] = {}
        for statements in invoices[start : start + size]:
            for statement, rows in statements:
                together.setdefault(statement, []).extend(rows)
        for statement, rows in together.items():
            connection.executemany(statement, rows)
        connection.execute("COMMIT")
    connection.close()


def _listing(scratch: Path) -> list[dict]:
    sessions = _company(scratch / "listed.sqlite3")
    with sessions.begin() as session:
        session.execute(text(_MANY), {"invoices": MANY})
    sqlite.refresh_statistics(sessions.engine)
    overdue = InvoiceFilter(status=(InvoiceStatus.OVERDUE,), order_by="due_on")
    with sessions() as session:
        first, distant, bare = (
            _milliseconds(look)
            for look in (
                lambda: queries.page(session, SYSTEM, InvoiceFilter(), today=TODAY, limit=PAGE),
                lambda: queries.page(session, SYSTEM, InvoiceFilter(), today=TODAY, limit=PAGE, offset=999 * PAGE),
                lambda: session.execute(
                    text(f"SELECT * FROM invoices WHERE {LISTED} ORDER BY issued_on DESC, id DESC LIMIT {PAGE}")
                ).fetchall(),
            )
        )
        late = _milliseconds(lambda: queries.page(session, SYSTEM, overdue, today=TODAY, limit=PAGE))
        counted = _milliseconds(lambda: queries.count(session, SYSTEM, InvoiceFilter(), today=TODAY))
        summed = _milliseconds(lambda: queries.totals(session, SYSTEM, InvoiceFilter(), today=TODAY))
    return [
        _row("first page of 1,000,000 invoices, against its bare SELECT", first, bare, "ms", ""),
        _row("page 1,000 of 1,000,000 invoices, against the first", distant, first, "ms", "<= 4"),
        _row("first page of those overdue, against the first of all", late, first, "ms", "<= 1.5"),
        _row("counting them as far as 100,000, against the first page", counted, first, "ms", ""),
        _row("summing them by currency, against the first page", summed, first, "ms", ""),
    ]


def _company(file: Path) -> Sessions:
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        session.add(Customer(id=1, business_id=1, ref="C1", name="Customer 1", currency="USD", created_at=NOW))
    return sessions


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _processor(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _milliseconds(work: Callable[[], object]) -> float:
    work()
    return statistics.median(_timed(work) for _ in range(5)) * 1000


def _rate(seconds: list[float]) -> int:
    """The fastest turn counts: whatever else the machine does can only slow a turn down."""
    return round(INVOICES / min(seconds))


def _row(name: str, ours: float, limit: float, unit: str, aim: str) -> dict:
    return {
        "name": name,
        "ours": round(ours, 2),
        "limit": round(limit, 2),
        "unit": unit,
        "ratio": round(ours / limit, 2),
        "aim": aim,
    }
