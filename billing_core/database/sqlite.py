"""How SQLite is opened, and how its transactions begin."""

import json
import sqlite3
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError

from billing_core.database.files.opened_file import OpenedFile
from billing_core.database.folding import fold
from billing_core.database.ordering import natural_order
from billing_core.database.pool import Pool, Prepared, close_idle
from billing_core.money import nearest
from billing_core.text import is_torn

BUSY_TIMEOUT_MS = 30_000
# How a transaction begins: reads and cannot write, takes the write lock once it writes, or takes it at once.
READ_ONLY, DEFERRED, IMMEDIATE = "READ_ONLY", "DEFERRED", "IMMEDIATE"
# Of a larger index so many rows are read. A tenth of them are too few: half of 240,000 invoices are open, which then
# looks like few, and slow ways look quick.
_ROWS_COUNTED = 100_000
# What is small today is planned as if nothing were known of it: it may be large before anybody counts again.
_WORTH_KNOWING = 10_000


class _Connection(sqlite3.Connection):
    """Begins its transactions as whoever has taken it out of the pool wants them (see ``pool.Prepared``)."""

    begins = DEFERRED
    opened_file: OpenedFile | None = None
    _reads_only = False

    def begin(self) -> None:
        reads_only = self.begins == READ_ONLY
        if self.opened_file is not None and not reads_only:
            self.opened_file.check()
        # It is reused by others, and keeps this until it is changed.
        if self._reads_only is not reads_only:
            self.execute(f"PRAGMA query_only = {'ON' if reads_only else 'OFF'}")
            self._reads_only = reads_only
        self.execute(f"BEGIN {DEFERRED if reads_only else self.begins}")

    def commit(self) -> None:
        """Not into a file that has lost its name since the beginning."""
        if self.opened_file is not None and self.in_transaction and not self._reads_only:
            self.opened_file.check()
        super().commit()


def beginning(engine: Engine, how: str) -> Engine:
    return Prepared(engine, partial(begin_by, how=how))


def begin_by(driver: Any, how: str) -> None:
    """The transactions of this connection of the driver's begin like this, until it goes back to the pool."""
    driver.begins = how


def engine(url: str, **options: Any) -> Engine:
    file = make_url(url).database
    opened = None
    if file and file != ":memory:":
        opened = OpenedFile(file)
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        options.setdefault("poolclass", Pool)
    # The driver must not open transactions on its own.
    driver = {"check_same_thread": False, "isolation_level": None, "factory": partial(_connected, opened)}
    made = create_engine(url, connect_args=driver, hide_parameters=True, **options)
    made.dialect.do_begin = _begin  # type: ignore[method-assign]
    event.listen(made, "connect", _prepare)
    if opened is not None:
        made.dialect.opened_file = opened  # type: ignore[attr-defined]
        event.listen(made, "connect", partial(_remember, file=opened))
    event.listen(made, "checkin", _forget)
    return made


def refresh_statistics(engine: Engine) -> None:
    """Count again how large tables are, which statements are planned by; PostgreSQL's autovacuum does it by itself.

    Where that is impossible, on a full disk or beside a long writer, plans stay as they were.
    """
    if engine.dialect.name != "sqlite":
        return
    with suppress(OperationalError), beginning(engine, IMMEDIATE).begin() as connection:
        connection.exec_driver_sql(f"PRAGMA analysis_limit = {_ROWS_COUNTED}")
        connection.exec_driver_sql("ANALYZE")
        connection.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE CAST(stat AS INTEGER) < ?", (_WORTH_KNOWING,))
    # Connections that are open know what was known when they were opened.
    close_idle(engine, keep=0)


def _connected(file: OpenedFile | None, *arguments: Any, **named: Any) -> _Connection:
    """Where the file is gone, none is made in its place."""
    if file is not None:
        file.check()
    return _Connection(*arguments, **named)


def _remember(connection: Any, _record: Any, file: OpenedFile) -> None:
    file.remember()
    connection.opened_file = file


def _begin(dbapi_connection: Any) -> None:
    dbapi_connection.begin()


def _forget(connection: Any, _record: Any) -> None:
    if connection is not None:
        connection.begins = DEFERRED


def _prepare(connection: Any, _record: Any) -> None:
    connection.create_function("folded", 1, _folded, deterministic=True)
    connection.create_function("hexadecimal", 1, _hexadecimal, deterministic=True)
    connection.create_function("natural_order", 1, natural_order, deterministic=True)
    connection.create_function("readable_json", 1, _readable_json, deterministic=True)
    connection.create_function("rounded_product", 5, _rounded_product, deterministic=True)
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = FILE",
        # Temporary tables are written and read whole: large pages take fewer calls of the system.
        "temp.page_size = 16384",
        "cache_size = -65536",
        # Pages, 16 MB: the commit that reaches it checkpoints the file for all.
        "wal_autocheckpoint = 4000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _folded(text: str | None) -> str | None:
    return None if text is None else fold(text)


def _hexadecimal(digits: str) -> int | None:
    """For SQLite, which cannot read such numbers: the one that these digits write, None where they write none."""
    try:
        return int(digits, 16)
    except (TypeError, ValueError):
        return None


def _readable_json(stored: str | None) -> str | None:
    """For SQLite, which leaves letters beyond ASCII as they are stored, as numbers (see ``functions.readable``)."""
    if stored is None or "\\u" not in stored:
        return stored
    read = json.dumps(json.loads(stored), ensure_ascii=False)
    return stored if is_torn(read) else read


def _rounded_product(factor: int, *numbers: str) -> int:
    """For SQLite, whose integers hold 64 bits (see ``functions.rounded_product``)."""
    price, base, divisor, most = map(int, numbers)
    return min(nearest(base + factor * price, divisor), most)
