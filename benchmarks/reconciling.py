"""A gateway's books of 100,000 payments beside ours: reading them in, comparing both in one pass, the file of it.

Held against the least that can be asked: the bare join of both tables, which finds nothing that only one side has.
Seconds of processor time, for it takes long enough to meet whatever else the machine does.
"""

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from benchmarks.ledger import _CUSTOMERS, CUSTOMERS
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import BalanceTransaction
from billing_core.online_payments.reconciliation import balance_transactions as reconciliation_balance_transactions
from billing_core.online_payments.reconciliation import exporting, reconciliation
from billing_core.online_payments.reconciliation.reconciliation import Agreement, PairFilter

PAYMENTS = 100_000
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
NOW = datetime(2026, 4, 2, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUNS = 3

_ENTRIES = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :payments)
INSERT INTO ledger_entries (id, business_id, customer_id, currency, kind, document, memo, effective_on, recorded_at,
                            recorded_by)
    SELECT i, 1, 1 + i % :customers, 'USD', 'payment', 'payment:pay_' || i, '',
           date('2026-03-01', '+' || (i % 31) || ' days'), '2026-04-01 00:00:00.000000', 'benchmark' FROM n
"""
_PAYMENTS = """
INSERT INTO payments (id, public_id, business_id, customer_id, currency, amount_minor, fee_minor, method, received_on,
                      reference, note, entry_id, mode, gateway_key, intent_id, undone_reason, created_at,
                      created_by)
    SELECT id, 'pay_' || id, 1, customer_id, 'USD', 10000 + id % 5000, 320, 'stripe', effective_on, 'pi_' || id, '',
           id, 'live', 'pi_' || id, 'pi_' || id, '', recorded_at, 'benchmark' FROM ledger_entries
"""
_BARE = """
SELECT p.currency, count(*), sum(p.amount_minor = l.amount_minor)
FROM gateway_lines l JOIN payments p ON p.gateway_key = l.intent_id GROUP BY p.currency
"""
# Of every thousand payments one came with a cent less, one is unknown there, and one unknown here.
_WRONG = 1_000


class Books:
    """A gateway that has them ready, so that only our own work is measured."""

    mode = Mode.LIVE

    def balance_transactions(self, start, end):
        for number in range(1, PAYMENTS + 1):
            place = number % _WRONG
            if place == 2:
                continue
            intent = f"pi_{number}" if place != 3 else f"pi_unknown_{number}"
            amount = 10_000 + number % 5_000 - (place == 1)
            at = NOON + timedelta(days=number % 31)
            yield BalanceTransaction(f"txn_{number}", "charge", f"ch_{number}", intent, "USD", amount, 320, at)


def run(scratch: Path) -> list[dict]:
    sessions = Sessions(connect(f"sqlite:///{scratch / 'books.sqlite3'}"))
    upgrade(sessions.engine)
    facts = {"customers": CUSTOMERS, "payments": PAYMENTS}
    with sessions.begin() as session:
        for statement in (_CUSTOMERS, _ENTRIES, _PAYMENTS, "ANALYZE"):
            used = {name: fact for name, fact in facts.items() if f":{name}" in statement}
            session.execute(text(statement), used)
    reading = _seconds(lambda: reconciliation_balance_transactions.read(sessions, SYSTEM, Books(), MARCH, now=NOW))
    asked = PairFilter(Mode.LIVE, MARCH)
    ours, bare = [], []
    for _ in range(RUNS):
        with sessions() as session:
            bare.append(_seconds(lambda: session.execute(text(_BARE)).all()))
            ours.append(_seconds(lambda: _compared(session, asked)))
    with sessions() as session:
        file = _seconds(lambda: sum(map(len, exporting.as_csv(session, SYSTEM, asked).chunks)))
        page = _seconds(lambda: reconciliation.page(session, SYSTEM, asked, limit=50))
    return [
        {
            "name": f"{PAYMENTS:,} payments beside the gateway's books, against their bare join",
            "ours": round(min(ours), 2),
            "limit": round(min(bare), 3),
            "unit": "s of CPU",
            "ratio": round(min(ours) / min(bare), 1),
        },
        *(
            {"name": name, "ours": round(seconds, 2), "limit": "", "unit": "s of CPU", "ratio": ""}
            for name, seconds in (
                ("the first page of them", page),
                ("the file of them", file),
                (f"keeping {PAYMENTS:,} lines that the gateway sends", reading),
            )
        ),
    ]


def _compared(session, asked: PairFilter) -> None:
    found = {one.agreement: one.pairs for one in reconciliation.sums(session, SYSTEM, asked)}
    each = PAYMENTS // _WRONG
    expected = {
        Agreement.MATCHED: PAYMENTS - 3 * each,
        Agreement.DIFFERENT: each,
        Agreement.ONLY_HERE: 2 * each,
        Agreement.ONLY_THERE: each,
    }
    if found != expected:
        raise SystemExit(f"the comparison is wrong: {found} instead of {expected}")


def _seconds(work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
