"""Proving a ledger of a million postings, and ageing 100,000 and 1,000,000 open invoices.

Proving takes long enough to meet whatever else the machine does, so it is measured in seconds of processor time.
"""

import time
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import text

from billing_core.database import Sessions, connect, sqlite
from billing_core.database.migrate import upgrade
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.ledger import sealing
from billing_core.ledger import verification as ledger_proof
from billing_core.receivables import ageing
from billing_core.receivables import verification as receivables_proof

TODAY = date(2026, 7, 1)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
RUNS = 5
CUSTOMERS = 5_000

_CUSTOMERS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :customers)
INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state, postal_code,
                       country, currency, tax_id, created_at, version)
    SELECT i, 'cus_' || i, 'uuid-' || i, 1, 'C' || i, 'Customer ' || i, '', '', '', '', '', '', 'US', 'USD', '',
           '2026-01-01 00:00:00.000000', 1 FROM n
"""
# Of every ten invoices five are open, one of them paid in part, and five are paid; a tenth is in euros.
_INVOICES = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :invoices)
INSERT INTO invoices (id, public_id, token, business_id, customer_id, state, number, series, sequence, currency,
                      issued_on, due_on, payment_terms, notes, reference, customer_name, customer_email,
                      customer_address, customer_tax_id, language, subtotal_minor, tax_minor, total_minor, paid_minor,
                      credited_minor, written_off_minor, refunded_minor, payment_failure, hold_reason, sent_at,
                      created_at, created_by, updated_at, version)
    SELECT i, 'inv_' || i, 'token-' || i, 1, 1 + i % :customers,
           CASE WHEN :all_open OR i % 10 < 5 THEN 'open' ELSE 'paid' END,
           'INV-' || i, 'INV-{seq}', i, CASE i % 10 WHEN 0 THEN 'EUR' ELSE 'USD' END,
           date('2026-01-01', '+' || (i % 180) || ' days'), date('2026-01-31', '+' || (i % 180) || ' days'),
           'Net 30', '', '', 'Customer ' || (1 + i % :customers), '', '', '', 'en', 10000 + i % 5000, 1900,
           11900 + i % 5000,
           CASE WHEN :all_open OR i % 10 < 4 THEN 0 WHEN i % 10 = 4 THEN 1000 ELSE 11900 + i % 5000 END, 0, 0, 0, '',
           '', '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 'benchmark', '2026-01-01 00:00:00.000000', 1
    FROM n
"""
_OPENINGS = """
INSERT INTO ledger_entries (id, business_id, customer_id, currency, kind, document, memo, effective_on, recorded_at,
                            recorded_by)
    SELECT id, business_id, customer_id, currency, 'invoice', 'invoice:' || id, '', issued_on, sent_at, 'benchmark'
    FROM invoices
"""
_PAYMENTS = """
INSERT INTO ledger_entries (id, business_id, customer_id, currency, kind, document, memo, effective_on, recorded_at,
                            recorded_by)
    SELECT 10000000 + id, business_id, customer_id, currency, 'payment', 'payment:pay_' || id, '', due_on, sent_at,
           'benchmark' FROM invoices WHERE paid_minor > 0
"""
_PAYMENT_DOCUMENTS = """
INSERT INTO payments (id, public_id, business_id, customer_id, currency, amount_minor, fee_minor, method, received_on,
                      reference, note, entry_id, undone_reason, created_at, created_by)
    SELECT id, 'pay_' || id, business_id, customer_id, currency, paid_minor, 0, 'bank_transfer', due_on, '', '',
           10000000 + id, '', sent_at, 'benchmark' FROM invoices WHERE paid_minor > 0
"""
_ALLOCATIONS = """
INSERT INTO payment_allocations (kind, payment_id, invoice_id, amount_minor, allocated_on, entry_id, created_at,
                                 created_by)
    SELECT 'payment', id, id, paid_minor, due_on, 10000000 + id, sent_at, 'benchmark'
    FROM invoices WHERE paid_minor > 0
"""
_POSTINGS = """
INSERT INTO ledger_postings (entry_id, account, detail, business_id, customer_id, invoice_id, currency, amount_minor,
                             effective_on, recorded_at)
    SELECT e.id, s.account, s.detail, e.business_id, e.customer_id, CASE s.account WHEN 'receivable' THEN i.id END,
           e.currency,
           CASE s.n WHEN 1 THEN i.total_minor WHEN 2 THEN -i.subtotal_minor WHEN 3 THEN -i.tax_minor
                    WHEN 4 THEN i.paid_minor ELSE -i.paid_minor END,
           e.effective_on, e.recorded_at
    FROM ledger_entries e
    JOIN invoices i ON i.id = e.id % 10000000
    JOIN (SELECT 1 AS n, 'invoice' AS kind, 'receivable' AS account, '' AS detail
          UNION ALL SELECT 2, 'invoice', 'revenue', 'service' UNION ALL SELECT 3, 'invoice', 'tax_payable', '19'
          UNION ALL SELECT 4, 'payment', 'cash', 'bank_transfer' UNION ALL SELECT 5, 'payment', 'receivable', '') s
         ON s.kind = e.kind
    ORDER BY e.id, s.n
"""
_UNSEALED = "INSERT INTO ledger_unsealed (entry_id) SELECT id FROM ledger_entries"
# Invoices with everything that was posted for them.
BOOKS = (_CUSTOMERS, _INVOICES, _OPENINGS, _PAYMENTS, _PAYMENT_DOCUMENTS, _ALLOCATIONS, _POSTINGS, _UNSEALED)

# The least that can be asked: each row of the covering index once, without its due date being looked at.
_BARE = "SELECT currency, sum(due_minor) FROM invoices WHERE state = 'open' GROUP BY currency"


def run(scratch: Path) -> list[dict]:
    rows = [_aged(scratch, 100_000), _aged(scratch, 1_000_000)]
    return rows + _proven(scratch)


def _aged(scratch: Path, invoices: int) -> dict:
    sessions = migrated(scratch / f"{invoices}.sqlite3")
    with sessions.begin() as session:
        fill(session, (_CUSTOMERS, _INVOICES), invoices=invoices, all_open=True)
    sqlite.refresh_statistics(sessions.engine)
    ours, bare = [], []
    for _ in range(RUNS):
        with sessions() as session:
            bare.append(_seconds(lambda: session.execute(text(_BARE)).all()))
            ours.append(_seconds(lambda: ageing.by_currency(session, SYSTEM, Scope(today=TODAY))))
    return {
        "name": f"ageing over {invoices:,} open invoices, against their bare sum",
        "ours": round(min(ours), 3),
        "limit": round(min(bare), 3),
        "unit": "s",
        "ratio": round(min(ours) / min(bare), 2),
        "aim": "<= 2",
    }


def _proven(scratch: Path) -> list[dict]:
    """A quarter of a million invoices, and what was paid on more than half of them: a million postings."""
    sessions = migrated(scratch / "books.sqlite3")
    with sessions.begin() as session:
        fill(session, BOOKS, invoices=238_100, all_open=False)
    sqlite.refresh_statistics(sessions.engine)
    began = time.perf_counter()
    entries = 0
    while newly := sealed(sessions):
        entries += newly
    sealing_seconds = time.perf_counter() - began
    with sessions() as session:
        postings = session.scalar(text("SELECT count(*) FROM ledger_postings"))
        read = _seconds(
            lambda: sum(1 for _ in session.execute(text("SELECT * FROM ledger_postings"))), time.process_time
        )
        began = time.process_time()
        checks = [*ledger_proof.checks(session), *receivables_proof.checks(session, today=TODAY)]
        seconds = time.process_time() - began
        if wrong := [check for check in checks if check.wrong]:
            raise SystemExit(f"the books of the benchmark are not in order: {wrong}")
        then = _seconds(lambda: ageing.by_currency(session, SYSTEM, Scope(as_at=date(2026, 4, 1))), time.process_time)
    return [
        {
            "name": f"verify {postings:,} postings, against reading them once",
            "ours": round(seconds, 1),
            "limit": round(read, 1),
            "unit": "s of CPU",
            "ratio": round(seconds / read, 1),
        },
        {
            "name": "sealing",
            "ours": round(entries / sealing_seconds),
            "limit": "",
            "unit": "entries/s",
            "ratio": "",
        },
        {
            "name": "the same books aged as at another day, from the ledger",
            "ours": round(then, 2),
            "limit": round(read, 1),
            "unit": "s of CPU",
            "ratio": round(then / read, 2),
        },
    ]


def migrated(file: Path) -> Sessions:
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    return sessions


def fill(session, statements, *, invoices: int, all_open: bool) -> None:
    facts = {"customers": CUSTOMERS, "invoices": invoices, "all_open": all_open}
    for statement in statements:
        session.execute(text(statement), {name: fact for name, fact in facts.items() if f":{name}" in statement})


def sealed(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return sealing.seal(session, now=NOW)


def _seconds(work, clock=time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began
