"""Usage events through the API in batches of 1,000 against the database's own bulk insert of the rows they become.

The rows are read from a database that ours has filled: what each batch became is inserted by ``executemany`` or
COPY and committed, and at the end the totals that ours kept all along. Workers are processes of their own that begin
at once, on SQLite and on PostgreSQL, and both sides take turns. One worker is measured in processor time, that of the
server's processes for it included; several in the wall's, because they also wait for each other.
"""

import asyncio
import json
import os
import pickle
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import make_url, text

from benchmarks.api_invoices import _Ours, _ours
from benchmarks.server import address, administer, server
from billing_core.customers.models import Customer
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion

EVENTS, BATCHES, TURNS = 1_000, 40, 3
CUSTOMERS, USERS = 100, 20
PATH = "/api/v1/usage/events"
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
# What identifies the rows that one batch became, and where they stand.
_BY_BATCH = {
    "usage_event_keys": "SELECT k.* FROM usage_event_keys k WHERE k.batch = {batch}",
    "usage_events": (
        "SELECT e.* FROM usage_events e JOIN usage_event_keys k"
        " ON k.customer_id = e.customer_id AND k.event_id = e.event_id WHERE k.batch = {batch}"
    ),
}
_TOTALS = ("usage_days", "usage_digests", "usage_users")
# Of one worker, whose name the connections bear.
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = :mine"


def run(scratch: Path) -> list[dict]:
    bodies = scratch / "bodies"
    bodies.write_bytes(pickle.dumps(_bodies()))
    with server(scratch) as started:
        places = {
            "SQLite": _SqlitePlace(scratch),
            "PostgreSQL": _PostgresPlace(started),
        }
        return [row for name, place in places.items() for row in _compared(name, place, bodies, scratch)]


def _compared(name: str, place: Any, bodies: Path, scratch: Path) -> list[dict]:
    place.prepare()
    filled = place.copy()
    _work("ours", filled, bodies, 1)
    rows = scratch / f"rows-{name}"
    rows.write_bytes(pickle.dumps(place.rows(filled)))
    found = []
    for workers in (1, 2):
        taken: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(TURNS):
            for side, given in (("ours", bodies), ("bare", rows)):
                taken[side].append(_work(side, place.copy(), given, workers))
        ours, bare = (EVENTS * BATCHES / min(taken[side]) for side in ("ours", "bare"))
        found.append(
            {
                "name": f"events by HTTP, {EVENTS:,} a batch, {name}, {workers} worker{'s' * (workers > 1)}",
                "ours": round(ours),
                "limit": round(bare),
                "unit": "events/s",
                "ratio": round(ours / bare, 2),
                "aim": ">= 0.3",
            }
        )
    return found


def _bodies() -> list[bytes]:
    chance = random.Random(14)
    return [
        json.dumps(
            {
                "events": [
                    {
                        "id": f"{chance.getrandbits(96):024x}",
                        "customer_ref": f"C{chance.randrange(CUSTOMERS)}",
                        "time": (FIRST + timedelta(milliseconds=chance.randrange(28 * 86_400_000))).isoformat(),
                        "user": f"user {chance.randrange(USERS)}",
                        "endpoint": f"/v1/things/{chance.randrange(30)}",
                        "response_time": chance.randrange(5_000) / 1_000,
                    }
                    for _ in range(EVENTS)
                ]
            }
        ).encode()
        for _ in range(BATCHES)
    ]


class _SqlitePlace:
    def __init__(self, folder: Path) -> None:
        self.prepared, self.number, self.folder = folder / "prepared.sqlite3", 0, folder

    def prepare(self) -> None:
        _company(f"sqlite:///{self.prepared}")
        with closing(sqlite3.connect(self.prepared)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def copy(self) -> str:
        self.number += 1
        return f"sqlite:///{shutil.copyfile(self.prepared, self.folder / f'{self.number}.sqlite3')}"

    def rows(self, address: str) -> list[Any]:
        with closing(sqlite3.connect(make_url(address).database or "")) as database:
            return _rows_of(lambda statement: database.execute(statement).fetchall())


class _PostgresPlace:
    def __init__(self, server: str) -> None:
        self.server, self.number = server, 0

    def prepare(self) -> None:
        administer(self.server, "CREATE DATABASE prepared")
        _company(address(self.server, "prepared"))

    def copy(self) -> str:
        self.number += 1
        administer(self.server, f"CREATE DATABASE copy_{self.number} TEMPLATE prepared")
        return address(self.server, f"copy_{self.number}")

    def rows(self, address: str) -> list[Any]:
        with psycopg.connect(_plain(address)) as connection:
            return _rows_of(lambda statement: connection.execute(statement).fetchall())


def _rows_of(execute: Callable[[str], list[tuple[Any, ...]]]) -> list[Any]:
    """What each batch became, and at last the totals; each as rows by table."""
    batches = [batch for (batch,) in execute("SELECT batch FROM usage_event_keys GROUP BY batch HAVING count(*) > 1")]
    pieces = [{name: execute(query.format(batch=batch)) for name, query in _BY_BATCH.items()} for batch in batches]
    return [*pieces, {name: execute(f"SELECT * FROM {name}") for name in _TOTALS}]


def _company(address: str) -> None:
    """Customers, and a first event of the month, which has PostgreSQL make the month's part."""
    sessions = Sessions(connect(address))
    upgrade(sessions.engine)
    with sessions.begin() as session:
        for number in range(CUSTOMERS):
            session.add(
                Customer(business_id=1, ref=f"C{number}", name=f"Customer {number}", currency="USD", created_at=FIRST)
            )
        session.flush()
        first = {"id": "first", "customer_ref": "C0", "time": FIRST.isoformat()}
        ingestion.record(session, SYSTEM, [first], now=FIRST, atomic=True)
        for name in ("usage_days", "usage_digests"):
            session.execute(text(f"DELETE FROM {name}"))
    sessions.engine.dispose()


def _work(side: str, address: str, given: Path, workers: int) -> float:
    """Seconds of the wall for all workers together, or of the processor where there is one."""
    command = [sys.executable, "-m", "benchmarks.usage.events", side, address, str(given), str(workers)]
    started = [
        subprocess.Popen([*command, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for place in range(workers)
    ]
    for worker in started:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for worker in started:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    spent = [float(worker.stdout.readline()) for worker in started if worker.stdout]
    wall = time.perf_counter() - began
    for worker in started:
        worker.communicate()
        assert worker.returncode == 0
    return wall if workers > 1 else spent[0]


def _worker(side: str, address: str, given: Path, workers: int, place: int) -> None:
    pieces = pickle.loads(given.read_bytes())
    prepare = {"ours": _sending, "bare": _inserting}[side]
    # What the product logs goes nowhere.
    with os.fdopen(os.dup(1), "w") as told, open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        work, backends = prepare(address)
        mine = pieces[place::workers]
        print("ready", file=told, flush=True)
        sys.stdin.readline()
        before = _spent(backends())
        work(mine)
        print(_spent(backends()) - before, file=told)


def _spent(backends: list[int]) -> float:
    """Processor seconds of this process and of the server's processes that work for it."""
    times = [psutil.Process(backend).cpu_times() for backend in backends]
    return time.process_time() + sum(one.user + one.system for one in times)


def _sending(address: str) -> tuple[Callable[[list[bytes]], None], Callable[[], list[int]]]:
    mine = f"worker {os.getpid()}"
    if address.startswith("postgresql"):
        address = make_url(address).update_query_dict({"application_name": mine}).render_as_string(hide_password=False)
    sessions = Sessions(connect(address))
    app = _ours(sessions)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    assert isinstance(app, _Ours)
    app.headers.append((b"content-type", b"application/json"))

    async def send_one(body: bytes) -> dict:
        parts, status = [], 0

        async def receive() -> dict:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict) -> None:
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))

        await app(dict(scope), receive, send)
        assert status == 200, b"".join(parts)
        return json.loads(b"".join(parts))

    async def send_all(bodies: list[bytes]) -> None:
        for body in bodies:
            assert (await send_one(body))["accepted"] == EVENTS

    known = {"id": "first", "customer_ref": "C0", "time": FIRST.isoformat()}
    assert asyncio.run(send_one(json.dumps(known).encode()))["repeated"] == 1

    def backends() -> list[int]:
        if sessions.engine.dialect.name == "sqlite":
            return []
        with sessions() as session:
            return list(session.scalars(text(_BACKENDS), {"mine": mine}))

    return lambda bodies: asyncio.run(send_all(bodies)), backends


def _inserting(address: str) -> tuple[Callable[[list[Any]], None], Callable[[], list[int]]]:
    if address.startswith("sqlite"):
        return _inserting_on_sqlite(make_url(address).database or ""), list
    connection = psycopg.connect(_plain(address))

    def insert(pieces: list[Any]) -> None:
        for piece in pieces:
            with connection.cursor() as cursor:
                for name, rows in piece.items():
                    with cursor.copy(f"COPY {name} FROM STDIN") as target:
                        for row in rows:
                            target.write_row(row)
            connection.commit()

    return insert, lambda: [connection.info.backend_pid]


def _inserting_on_sqlite(file: str) -> Callable[[list[Any]], None]:
    connection = sqlite3.connect(file, isolation_level=None, timeout=60)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")

    def insert(pieces: list[Any]) -> None:
        for piece in pieces:
            connection.execute("BEGIN IMMEDIATE")
            for name, rows in piece.items():
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
            connection.execute("COMMIT")

    return insert


def _plain(address: str) -> str:
    return make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)


if __name__ == "__main__":
    _worker(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
