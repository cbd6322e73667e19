"""Renewals of subscriptions a second on PostgreSQL, by one, two and four processes, against bare inserts of the same
rows; and the list of a hundred thousand subscriptions.

Each renewal is a transaction that begins a period, sends its invoice and posts it. The bare statements are those of
them that write, with the same commits, by psycopg alone. PostgreSQL works on the same cores as the workers: what these
could do at most follows from the processor time of all processes together that a renewal takes with one worker.
"""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import event, func, make_url, select, text

from benchmarks.server import address, administer, server
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.identity import SYSTEM
from billing_core.plans import service as plans
from billing_core.plans.terms import Terms
from billing_core.subscriptions import clock, listing, service
from billing_core.subscriptions.models import SubscriptionInvoice, SubscriptionState
from billing_core.subscriptions.service import Wanted

SUBSCRIPTIONS = 400
WORKERS = (1, 2, 4)
CORES = psutil.cpu_count() or 1
BEGUN, DUE = datetime(2026, 1, 15, 9, tzinfo=UTC), datetime(2026, 2, 15, 10, tzinfo=UTC)
WITHIN_SECONDS = 300
MANY, FEW, PAGE = 100_000, 1_000, 50

_CUSTOMERS = """
INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state, postal_code,
                       country, currency, tax_id, created_at, version)
    SELECT i, 'cus_' || i, 'uuid-' || i, 1, 'C' || i, 'Customer ' || i, 'ap@customer' || i || '.example', '', '', '',
           '', '', 'US', 'USD', '', '2025-01-01', 1 FROM generate_series(1, :customers) AS n(i)
"""
_MANY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :subscriptions)
INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state, postal_code,
                       country, currency, tax_id, created_at, version)
    SELECT i, 'cus_' || i, 'uuid-' || i, 1, 'C' || i, 'Customer ' || i, '', '', '', '', '', '', 'US', 'USD', '',
           '2025-01-01 00:00:00.000000', 1 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :subscriptions)
INSERT INTO subscriptions (id, public_id, business_id, customer_id, plan_version_id, currency, seats, add_ons, tax_rate,
                           state, zone, anchor_day, anchor_time, anchor_number, period_number, next_at,
                           promo_periods_used, cancel_at_period_end, cancel_reason, hold_reason, created_at, created_by,
                           version)
    SELECT i, 'sub_' || i, 1, i, 1, 'USD', 1, '{}', 0, CASE i % 20 WHEN 0 THEN 'past_due' ELSE 'active' END, 'UTC',
           '2026-01-15', '09:00:00.000000', 0, 0, '2026-02-15 09:00:00.000000', 0, 0, '', '',
           '2026-01-15 09:00:00.000000', 'Grace Hopper', 1 FROM n;
INSERT INTO subscription_periods (subscription_id, number, starts_at, ends_at, first_day, last_day, plan_version_id,
                                  paused)
    SELECT id, 0, '2026-01-15 09:00:00.000000', '2026-02-15 09:00:00.000000', '2026-01-15', '2026-02-14', 1, 0
    FROM subscriptions;
ANALYZE
"""


def run(scratch: Path) -> list[dict]:
    return _renewals(scratch) + _lists(scratch)


def _renewals(scratch: Path) -> list[dict]:
    with server(scratch) as started:
        _company(address(started, "postgres"), address(started, "company"))
        administer(started, "CREATE DATABASE written TEMPLATE company", "CREATE DATABASE bare TEMPLATE company")
        written = _written(address(started, "written"))
        bare = SUBSCRIPTIONS / _execute(address(started, "bare"), written)
        rows = []
        for workers in WORKERS:
            administer(started, f"CREATE DATABASE run_{workers} TEMPLATE company")
            rate, processor_seconds = _run(address(started, f"run_{workers}"), workers)
            if workers == 1:
                most = CORES / processor_seconds
                each = round(sum(entry is not None for entry in written) / SUBSCRIPTIONS)
                rows.append(
                    _row(f"renewals, 1 worker, against {each} bare inserts and updates each", rate, bare, ">= 0.2")
                )
            else:
                name = f"the same by {workers} workers, against what {CORES} cores can do"
                rows.append(_row(name, rate, most, ">= 0.8" if workers == CORES else ""))
        return rows


def _company(server_address: str, company: str) -> None:
    """Each customer has a subscription in its first period."""
    administer(server_address, "CREATE DATABASE company")
    sessions = Sessions(connect(company))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        session.execute(text(_CUSTOMERS), {"customers": SUBSCRIPTIONS})
        agreed = Terms("USD", Decimal(30), 0, Decimal(0))
        plans.create(session, SYSTEM, code="pro", name="Pro", agreed=agreed, now=BEGUN)
        for number in range(1, SUBSCRIPTIONS + 1):
            made, first = service.create(session, SYSTEM, Wanted(f"cus_{number}", "pro"), method_id=None, now=BEGUN)
            assert first
            service.activate(session, SYSTEM, made, first, now=BEGUN)
        session.execute(text("ANALYZE"))
    sessions.engine.dispose()


def _written(database: str) -> list[tuple[str, Any] | None]:
    """Every statement of all renewals that writes; None is a commit."""
    engine = connect(database)
    written: list[tuple[str, Any] | None] = []

    def note(_connection, _cursor, statement, parameters, _context, many):
        if statement.lstrip().startswith(("INSERT", "UPDATE")):
            written.extend((statement, entry) for entry in (parameters if many else [parameters]))

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", lambda _connection: written.append(None))
    _renew(Sessions(engine), range(1, SUBSCRIPTIONS + 1))
    engine.dispose()
    return written


def _execute(database: str, written: list[tuple[str, Any] | None]) -> float:
    """Seconds for the bare statements."""
    url = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for entry in written:
            if entry is None:
                connection.commit()
            else:
                cursor.execute(*entry)
        connection.commit()
        return time.perf_counter() - began


def _run(database: str, count: int) -> tuple[float, float]:
    """Renewals a second by so many processes, each with its share of the subscriptions, and the seconds of processor
    time that the whole machine spends on each.
    """
    context = get_context("spawn")
    ready, go = (context.Barrier(count + 1, timeout=WITHIN_SECONDS) for _ in range(2))
    size = SUBSCRIPTIONS // count
    shares = [range(1 + size * place, 1 + size * (place + 1)) for place in range(count)]
    workers = [context.Process(target=_work, args=(database, share, ready, go)) for share in shares]
    for worker in workers:
        worker.start()
    ready.wait()
    before, began = _processor_seconds(), time.perf_counter()
    go.wait()
    for worker in workers:
        worker.join()
    seconds, spent = time.perf_counter() - began, _processor_seconds() - before
    sessions = Sessions(connect(database))
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(SubscriptionInvoice)) == 2 * SUBSCRIPTIONS
    sessions.engine.dispose()
    return SUBSCRIPTIONS / seconds, spent / SUBSCRIPTIONS


def _work(database: str, share: range, ready, go) -> None:
    sessions = Sessions(connect(database))
    with sessions() as session:
        session.execute(text("SELECT 1"))
    ready.wait()
    go.wait()
    _renew(sessions, share)


def _renew(sessions: Sessions, share: range) -> None:
    done = sum(1 for _ in clock.renew(sessions, SYSTEM, now=DUE, within=share))
    assert done == len(share)


def _processor_seconds() -> float:
    times = psutil.cpu_times()
    return times.user + times.system


def _lists(scratch: Path) -> list[dict]:
    many, few = (_listed(scratch / f"{count}.sqlite3", count) for count in (MANY, FEW))
    rows = []
    for name, facts in (("", {}), (" that are past due", {"state": SubscriptionState.PAST_DUE})):
        ours, limit = (_page(sessions, **facts) for sessions in (many, few))
        rows.append(
            {
                "name": f"the first page of {MANY:,} subscriptions{name}, against {FEW:,}",
                "ours": round(ours, 2),
                "limit": round(limit, 2),
                "unit": "ms",
                "ratio": round(ours / limit, 2),
                "aim": "<= 1.5",
            }
        )
    return rows


def _listed(file: Path, count: int) -> Sessions:
    sessions = Sessions(connect(f"sqlite:///{file}"))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        agreed = Terms("USD", Decimal(30), 0, Decimal(0))
        plans.create(session, SYSTEM, code="pro", name="Pro", agreed=agreed, now=BEGUN)
        for statement in _MANY.split(";"):
            session.execute(text(statement), {"subscriptions": count} if ":subscriptions" in statement else {})
    return sessions


def _page(sessions: Sessions, **facts: Any) -> float:
    def look() -> None:
        with sessions() as session:
            assert len(listing.page(session, SYSTEM, limit=PAGE, **facts)) == PAGE

    look()
    return statistics.median(_timed(look) for _ in range(9)) * 1000


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _row(name: str, ours: float, limit: float, aim: str) -> dict:
    return {
        "name": name,
        "ours": round(ours, 1),
        "limit": round(limit, 1),
        "unit": "renewals/s",
        "ratio": round(ours / limit, 2),
        "aim": aim,
    }
