"""Renewals of subscriptions a second on PostgreSQL, by one, two and four processes, against bare inserts of the same
rows; and the list of a hundred thousand subscriptions.

Each renewal is a transaction that begins a period, sends its invoice and posts it. The bare statements are those of
them that write, with the same commits, by psycopg alone. PostgreSQL works on the same cores as the workers, and two
cores seldom do twice what one does alone: by how much more workers are faster is compared with how much as many
processes of bare statements are, each with a database of its own.
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

SUBSCRIPTIONS = 1_200
WORKERS = (1, 2, 4)
# What each worker renews before the clock starts: a process puts its statements together once.
FIRST = 20
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
        rates, bare = {}, {}
        for workers in WORKERS:
            copies = [f"bare_{workers}_{place}" for place in range(workers)]
            administer(started, *(f"CREATE DATABASE {name} TEMPLATE company" for name in (f"run_{workers}", *copies)))
            bare[workers] = _bare([address(started, name) for name in copies], written)
            rates[workers] = _run(address(started, f"run_{workers}"), workers)
        each = round(sum(entry is not None for entry in written) / SUBSCRIPTIONS)
        one = f"renewals, 1 worker, against {each} bare inserts and updates each"
        rows = [_row(one, rates[1], bare[1], ">= 0.2")]
        for workers in WORKERS[1:]:
            name = f"the same by {workers} workers, against as many times more as the bare ones are by {workers}"
            possible = rates[1] * bare[workers] / bare[1]
            rows.append(_row(name, rates[workers], possible, ">= 0.8" if workers == CORES else ""))
        return rows


def _company(server_address: str, company: str) -> None:
    """Each customer has a subscription in its first period."""
    administer(server_address, "CREATE DATABASE company")
    sessions = Sessions(connect(company))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        session.execute(text(_CUSTOMERS), {"customers": SUBSCRIPTIONS + FIRST * max(WORKERS)})
        agreed = Terms("USD", Decimal(30), 0, Decimal(0))
        plans.create(session, SYSTEM, code="pro", name="Pro", agreed=agreed, now=BEGUN)
        for number in range(1, SUBSCRIPTIONS + FIRST * max(WORKERS) + 1):
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


def _bare(databases: list[str], written: list[tuple[str, Any] | None]) -> float:
    """How often a second the bare statements of a renewal are carried out, by a process for each database."""
    return len(databases) * SUBSCRIPTIONS / _together(_execute, [(database, written) for database in databases])


def _run(database: str, count: int) -> float:
    """Renewals a second by so many processes, each with its share of the subscriptions."""
    shares = zip(
        _ranges(SUBSCRIPTIONS + 1, size=FIRST, count=count),
        _ranges(1, size=SUBSCRIPTIONS // count, count=count),
        strict=True,
    )
    seconds = _together(_work, [(database, first, share) for first, share in shares])
    sessions = Sessions(connect(database))
    with sessions() as session:
        renewed = select(func.count()).where(SubscriptionInvoice.period_number == 1)
        assert session.scalar(renewed) == SUBSCRIPTIONS + FIRST * count
    sessions.engine.dispose()
    return SUBSCRIPTIONS / seconds


def _ranges(begin: int, *, size: int, count: int) -> list[range]:
    return [range(begin + size * place, begin + size * (place + 1)) for place in range(count)]


def _together(work: Callable[..., None], shares: list[tuple[Any, ...]]) -> float:
    """Seconds until a process for each of these is done, from when all of them were ready."""
    context = get_context("spawn")
    ready, go = (context.Barrier(len(shares) + 1, timeout=WITHIN_SECONDS) for _ in range(2))
    workers = [context.Process(target=work, args=(*share, ready, go)) for share in shares]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    go.wait()
    for worker in workers:
        worker.join()
    assert not any(worker.exitcode for worker in workers)
    return time.perf_counter() - began


def _execute(database: str, written: list[tuple[str, Any] | None], ready, go) -> None:
    url = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        ready.wait()
        go.wait()
        for entry in written:
            if entry is None:
                connection.commit()
            else:
                cursor.execute(*entry)
        connection.commit()


def _work(database: str, first: range, share: range, ready, go) -> None:
    sessions = Sessions(connect(database))
    _renew(sessions, first)
    ready.wait()
    go.wait()
    _renew(sessions, share)


def _renew(sessions: Sessions, share: range) -> None:
    done = sum(1 for _ in clock.renew(sessions, SYSTEM, now=DUE, within=share))
    assert done == len(share)


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
