"""Usage events from a file against the database's own bulk insert of the rows that they become, on SQLite.

The rows are read from a database that ours has filled, and inserted by ``executemany`` in one transaction, as the
file is. Both are counted in processor time. Memory is measured at two sizes: what grows with the file would tell.
"""

import csv
import random
import sqlite3
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from benchmarks.importing.processes import bare, begun, copy, elsewhere, grown_mb, whole
from benchmarks.usage.events import CUSTOMERS, FIRST, USERS, _company
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service
from billing_core.imports.incoming import Incoming

EVENTS = (100_000, 1_000_000)
# In the order in which they refer to each other.
TABLES = ("usage_event_keys", "usage_events", "usage_days", "usage_digests", "usage_users")
HEADER = ("event_id", "customer_ref", "time", "user", "endpoint", "response_time")


def run(scratch: Path) -> list[dict]:
    prepared = scratch / "prepared.sqlite3"
    _company(f"sqlite:///{prepared}")
    whole(prepared)
    rows = []
    for events in EVENTS:
        source, filled, other = (scratch / f"{events}.{ending}" for ending in ("csv", "sqlite3", "bare.sqlite3"))
        _write(source, events)
        ours, growth_mb = elsewhere(__name__, copy(prepared, filled), source)
        limit = _inserted(filled, copy(prepared, other))
        rows.append(
            {
                "name": f"a file of {events:,} events, SQLite",
                "ours": round(events / ours),
                "limit": round(events / limit),
                "unit": "events/s",
                "ratio": round(limit / ours, 2),
                "aim": ">= 0.5",
            }
        )
        rows.append(
            {
                "name": "peak memory of that import above idle",
                "ours": round(growth_mb),
                "limit": 200,
                "unit": "MB",
                "ratio": round(growth_mb / 200, 2),
                "aim": "<= 1",
            }
        )
    return rows


def _write(target: Path, events: int) -> None:
    chance = random.Random(14)
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for _ in range(events):
            moment = FIRST + timedelta(milliseconds=chance.randrange(28 * 86_400_000))
            writer.writerow(
                (
                    f"{chance.getrandbits(96):024x}",
                    f"C{chance.randrange(CUSTOMERS)}",
                    moment.isoformat(),
                    f"user {chance.randrange(USERS)}",
                    f"/v1/things/{chance.randrange(30)}",
                    f"{chance.randrange(5_000) / 1_000}",
                )
            )


def _inserted(filled: Path, target: Path) -> float:
    """Processor seconds for the bare rows, in the order in which they were written."""
    connection = bare(target)
    with closing(sqlite3.connect(filled)) as source:
        rows = {name: source.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
    for name in TABLES:
        connection.execute(f"DELETE FROM {name}")
    began = time.process_time()
    connection.execute("BEGIN IMMEDIATE")
    for name, values in rows.items():
        connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(values[0]))})", values)
    connection.execute("COMMIT")
    seconds = time.process_time() - began
    connection.close()
    return seconds


def _import(database: Path, source: Path) -> tuple[float, float]:
    """Processor seconds, and megabytes above what the process began with."""
    sessions, idle = begun(database)
    with source.open("rb") as stream:
        began = time.process_time()
        file = Incoming(Kind.USAGE, stream, source.name)
        outcome = service.apply(sessions, SYSTEM, file, now=utc_now())
        seconds = time.process_time() - began
    if not outcome.applied:
        raise SystemExit(f"{outcome.rejected} events were refused: {outcome.rejections[:3]}")
    return seconds, grown_mb(idle)


if __name__ == "__main__":
    print(*_import(Path(sys.argv[1]), Path(sys.argv[2])))
