"""Mutual exclusion, where PostgreSQL would let everybody work at once. SQLite has one writer at a time anyway.

A report is made by several statements, and an import changes what they read. So an import writes alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.engine import Connection

from billing_core.database.engine import for_changes
from billing_core.database.sqlite import BUSY_TIMEOUT_MS

_IMPORTING = 7_236_115
_STARTING_A_RUN = 7_236_119
_SIGNING_IN = 7_236_120


def write_alone(connection: Connection) -> None:
    """Wait for other imports and for reports in progress; until the transaction ends they wait for this one."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_IMPORTING)))


def keep_imports_out(connection: Connection) -> None:
    """Wait for an import in progress; until the transaction ends none begins to write. Lock this first."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock_shared(_IMPORTING)))


def start_run_alone(connection: Connection) -> None:
    """Wait for others who start bill runs, so that each sees the runs of those before it."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_STARTING_A_RUN)))


def count_sign_ins_alone(connection: Connection) -> None:
    """Wait for others who count an attempt to sign in, so that no two are both the last one that may be made."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SIGNING_IN)))


@contextmanager
def unless_busy(engine: Engine) -> Iterator[Connection]:
    """A transaction that fails at once (OperationalError) while another one is in its way, instead of waiting for it:
    for what may be left out.
    """
    with for_changes(engine).connect() as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
                yield connection
            return
        driver: Any = connection.connection.dbapi_connection
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            with connection.begin():
                yield connection
        finally:
            driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
