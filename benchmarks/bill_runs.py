"""Customers a second of a bill run on PostgreSQL that sends invoices, by one, two and four workers, against the bare
statements of the same work.

The statements are those that the run itself sends: written down while it bills every customer in one thread, and then
executed by psycopg alone, in one connection with the same commits, on a copy of the database as it was before.

PostgreSQL works on the same cores as the workers. What these could do at most follows from the processor time of all
processes together that a customer takes with one worker.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import event, func, make_url, select, text

from benchmarks.server import address, administer, server
from billing_core.bill_runs import planning, taking, workflow
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.jobs import nudges
from billing_core.outbox.models import OutboxMessage
from billing_core.processes.models import Queue
from billing_core.processes.queries import living

CUSTOMERS = 400
ORDERS_EACH = 25
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)
WORKERS = (1, 2, 4)
CORES = psutil.cpu_count() or 1
WITHIN_SECONDS = 300

_COMPANY = """
INSERT INTO services (id, code, name, cost_type) VALUES
    (1, 'HANDLING', 'Handling', 'per_order'), (2, 'PICK', 'Picking', 'per_item'),
    (3, 'SHIP', 'Shipping', 'per_weight_unit');
INSERT INTO customers (id, public_id, uuid, business_id, ref, name, email, phone, address, city, state, postal_code,
                       country, currency, tax_id, created_at, version)
    SELECT i, 'cus_' || i, 'uuid-' || i, 1, 'C' || i, 'Customer ' || i, 'ap@customer' || i || '.example', '', '', '',
           '', '', 'US', 'USD', '', '2025-01-01', 1 FROM generate_series(1, :customers) AS n(i);
INSERT INTO rates (customer_id, service_id, unit_price, currency, valid_from, created_at)
    SELECT c.id, s.id, 1250000 * s.id, 'USD', '2025-01-01', '2025-01-01' FROM customers c, services s;
INSERT INTO orders (id, number, customer_id, order_date, status, reference_number, ship_to_name, ship_to_address,
                    ship_to_city, ship_to_state, ship_to_postal_code, ship_to_country, carrier, weight, packages, notes)
    SELECT i, 'ORD-' || i, 1 + i % :customers, date '2026-03-01' + (i % 31)::integer, 'shipped', 'REF-' || i,
           'Receiver ' || i, 'Street ' || i, 'Springfield', 'IL', '62701', 'US', 'UPS', 1000 + i % 9000, 1 + i % 3, ''
    FROM generate_series(1, :customers * :orders_each) AS n(i);
INSERT INTO order_lines (order_id, sku, sku_key, position, quantity)
    SELECT id, 'SKU-' || (id % 500), 'SKU-' || (id % 500), 1, 1000 * (1 + id % 20) FROM orders;
ANALYZE
"""


@dataclass
class _Written:
    """What one connection was sent, in order; None is a commit."""

    statements: list[tuple[str, Any] | None] = field(default_factory=list)


def run(scratch: Path) -> list[dict]:
    with server(scratch) as started:
        _company(started, "company")
        administer(started, "CREATE DATABASE written TEMPLATE company", "CREATE DATABASE bare TEMPLATE company")
        written = _write_down(address(started, "written"))
        bare = CUSTOMERS / _execute(address(started, "bare"), written)
        statements = round(sum(entry is not None for entry in written.statements) / CUSTOMERS)
        rows = []
        for workers in WORKERS:
            database = f"run_{workers}"
            administer(started, f"CREATE DATABASE {database} TEMPLATE company")
            rate, processor_seconds = _run(address(started, database), workers, scratch / database)
            if workers == 1:
                most = CORES / processor_seconds
                name = f"invoices sent by a run, 1 worker, against {statements} bare statements each"
                rows.append(_row(name, rate, bare, ">= 0.3"))
            else:
                name = f"the same by {workers} workers, against what {CORES} cores can do"
                rows.append(_row(name, rate, most, ">= 0.8" if workers == CORES else ""))
        return rows


def _company(started: str, name: str) -> None:
    administer(started, f"CREATE DATABASE {name}")
    sessions = Sessions(connect(address(started, name)))
    upgrade(sessions.engine)
    facts = {"customers": CUSTOMERS, "orders_each": ORDERS_EACH}
    with sessions.begin() as session:
        for statement in filter(None, map(str.strip, _COMPANY.split(";"))):
            session.execute(text(statement), facts if ":customers" in statement else {})
    sessions.engine.dispose()


def _write_down(address: str) -> _Written:
    """Every statement of the run, which is planned before."""
    written = _Written()
    engine = connect(address)
    sessions = Sessions(engine)
    run_id = _planned(sessions)
    with sessions() as session:
        terms = taking.terms(session, run_id)
        chunks = taking.waiting_chunks(session, run_id, terms.attempt)

    def note(_connection, _cursor, statement, parameters, _context, many):
        entries = parameters if many else [parameters]
        written.statements += [(statement, entry) for entry in entries]

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", lambda _connection: written.statements.append(None))
    for chunk in chunks:
        while workflow.bill_next(sessions, _no_gateway, terms, chunk, now=utc_now()):
            pass
    engine.dispose()
    return written


def _execute(address: str, written: _Written) -> float:
    """Seconds for the bare statements."""
    sessions = Sessions(connect(address))
    _planned(sessions)
    sessions.engine.dispose()
    url = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for entry in written.statements:
            if entry is None:
                connection.commit()
                continue
            cursor.execute(*entry)
            if cursor.description is not None:
                cursor.fetchall()
        connection.commit()
        return time.perf_counter() - began


def _run(address: str, count: int, folder: Path) -> tuple[float, float]:
    """Customers a second of so many workers, from the first customer that they take up to the last, and the seconds
    of processor time that the whole machine spends on each.
    """
    sessions = Sessions(connect(address))
    folder.mkdir()
    with _working(sessions, address, count, folder):
        run_id = _planned(sessions)
        with sessions.engine.connect() as connection:
            connection.execute(select(func.pg_notify(nudges.CHANNEL, Queue.BILL_RUNS.value)))
            connection.commit()
        before = _processor_seconds()
        _wait(lambda: _finished(sessions, run_id))
        spent = _processor_seconds() - before
    with sessions() as session:
        first = session.scalar(select(func.min(BillRunCustomer.finished_at)))
        last = session.scalar(select(BillRun.finished_at))
        created = session.scalar(select(func.count()).where(BillRunCustomer.outcome == RunOutcome.CREATED))
        mails = session.scalar(select(func.count()).select_from(OutboxMessage))
        invoices = session.scalar(select(func.count()).select_from(Invoice))
    assert (created, mails, invoices) == (CUSTOMERS,) * 3
    assert first
    assert last
    sessions.engine.dispose()
    return CUSTOMERS / (last - first).total_seconds(), spent / CUSTOMERS


def _processor_seconds() -> float:
    times = psutil.cpu_times()
    return times.user + times.system


@contextmanager
def _working(sessions: Sessions, address: str, count: int, folder: Path) -> Iterator[None]:
    """So many workers live."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BILLING_", "STRIPE_"))}
    environment |= {"BILLING_DATABASE_URL": address, "BILLING_DATA_DIR": str(folder), "BILLING_SECRET_KEY": "s" * 32}
    command = [sys.executable, "-m", "billing_core", "worker"]
    with (folder / "log").open("w") as log:
        workers = [subprocess.Popen(command, env=environment, stdout=log, stderr=log) for _ in range(count)]
    try:
        _wait(lambda: _living(sessions) == count)
        yield
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait(timeout=30)


def _planned(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return planning.plan(session, SYSTEM, customer_ids=None, period=MARCH, goal=RunGoal.SENT, now=NOW)


def _living(sessions: Sessions) -> int:
    with sessions() as session:
        return len(living(session))


def _finished(sessions: Sessions, run_id: int) -> bool:
    with sessions() as session:
        return session.scalar(select(BillRun.finished_at).where(BillRun.id == run_id)) is not None


def _wait(until) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def _no_gateway():
    raise AssertionError("no links here")


def _row(name: str, ours: float, limit: float, aim: str) -> dict:
    return {
        "name": name,
        "ours": round(ours, 1),
        "limit": round(limit, 1),
        "unit": "customers/s",
        "ratio": round(ours / limit, 2),
        "aim": aim,
    }
