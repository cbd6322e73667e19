"""One engine per process, and the two ways to open a session: to read, or to change."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.orm import ORMExecuteState, Session

from billing_core.database import sqlite
from billing_core.database.pool import Pool, Prepared
from billing_core.errors import Invalid

# On PostgreSQL a transaction holds its locks, and others wait for them, until it ends: that of a machine that vanished
# ends after half a minute, that of a process that stands still after a minute. What waits for others: ``may_idle``.
_ENDED_BY_POSTGRESQL = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 4",
    "SET idle_in_transaction_session_timeout = '60s'",
)
# What PostgreSQL says of NUL, and of other characters that it cannot hold, in a text or in JSON.
_NO_CHARACTER = frozenset({"22021", "22P05"})


class ReadOnly(RuntimeError):
    """Something was changed in a read session, where it would have been lost silently."""


class ReadSession(Session):
    """Refuses changes and locks of objects; what is written past them (Core, text) the database refuses."""

    _open: Connection | None = None

    def connection(self, bind_arguments: Any = None, execution_options: Mapping[str, Any] | None = None) -> Connection:
        """Remembered while it is open: to look it up for each statement takes a third of one."""
        if bind_arguments or execution_options or self._open is None or self._open.closed:
            self._open = super().connection(bind_arguments, execution_options)
        return self._open

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        self._refuse_changes()
        super().flush(objects)

    def __exit__(self, type_: Any, value: Any, traceback: Any) -> None:
        try:
            if type_ is None:
                self._refuse_changes()
        finally:
            super().__exit__(type_, value, traceback)

    def _refuse_changes(self) -> None:
        for verb, changed in (("add", self.new), ("change", self.dirty), ("delete", self.deleted)):
            for entity in changed:
                raise ReadOnly(
                    f"A session that only reads cannot {verb} a {type(entity).__name__}: use sessions.begin()"
                )


@event.listens_for(ReadSession, "do_orm_execute")
def _refuse_locks(execution: ORMExecuteState) -> None:
    """PostgreSQL refuses them too; SQLite knows none, so that a lock asked for by mistake would go unnoticed."""
    if getattr(execution.statement, "_for_update_arg", None) is not None:
        raise ReadOnly("A session that only reads cannot lock rows: use sessions.begin()")


class Sessions:
    """``with sessions() as session`` reads; ``with sessions.begin() as session`` changes and commits.

    A session that reads refuses changes: the database does so too, without another round trip.

    On SQLite a change takes the write lock at once: a transaction that read first and wrote later
    would be refused as soon as anybody else had written in between.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reading = _only_reading(engine)
        self._writing = for_changes(engine)

    def __call__(self) -> Session:
        return ReadSession(self._reading, expire_on_commit=False)

    def reading(self) -> Connection:
        """A connection that reads, to be closed: where only rows are read, it takes less than a session."""
        return self._reading.connect()

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session


def connect(url: str, **options: Any) -> Engine:
    """An engine for SQLite or PostgreSQL, with the settings that the product relies on.

    A failed statement's values (names, addresses, amounts) stay out of the log.
    """
    of_kind = sqlite.engine if make_url(url).get_backend_name() == "sqlite" else _postgresql
    engine = of_kind(url, **options)
    event.listen(engine, "handle_error", _refuse_unkeepable)
    return engine


def _refuse_unkeepable(failed: ExceptionContext) -> None:
    """A text that no column can hold or be compared with is its writer's mistake, wherever it was typed; most fields
    have said so before, by their names.
    """
    error = failed.original_exception
    if isinstance(error, UnicodeEncodeError):
        character = f"U+{ord(error.object[error.start]):04X}"
    elif "NUL (0x00)" in str(error) or getattr(error, "sqlstate", None) in _NO_CHARACTER:
        character = "U+0000"
    else:
        return
    raise Invalid(f"A text has a character in it that cannot be kept ({character})")


def for_changes(engine: Engine) -> Engine:
    """The engine, for transactions that change something: on SQLite they take the write lock at once."""
    return sqlite.beginning(engine, sqlite.IMMEDIATE) if engine.dialect.name == "sqlite" else engine


def change_from_now_on(connection: Connection) -> None:
    """Its transactions begin as those of ``for_changes``, from the next one on."""
    if connection.dialect.name == "sqlite":
        sqlite.begin_by(connection.connection.dbapi_connection, sqlite.IMMEDIATE)


def _only_reading(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        return sqlite.beginning(engine, sqlite.READ_ONLY)
    return Prepared(engine, _read_only)


def may_idle(connection: Connection) -> None:
    """This transaction waits for somebody else between its statements, such as the reader of a download. One that
    changes something must not, as others wait for its locks; ``copying`` alone, while nobody else writes.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


# By which rows are read: a session, or a connection, which takes less where no entity is read.
Reads = Session | Connection


def connection_of(session: Reads) -> Connection:
    """To read rows past the session, whose own work takes longer than most statements."""
    return session if isinstance(session, Connection) else session.connection()


def read_at_one_moment(session: Reads) -> None:
    """All that is read by it is of one moment, as on SQLite in any case. To be called before anything is read."""
    options: Any = {"isolation_level": "REPEATABLE READ"}
    if isinstance(session, Connection):
        if session.dialect.name == "postgresql":
            session.execution_options(**options)
    elif session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options=options)


def _postgresql(url: str, **options: Any) -> Engine:
    engine = create_engine(
        url, poolclass=Pool, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True, **options
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Not as options of the connection, which poolers refuse.
        for statement in _ENDED_BY_POSTGRESQL:
            connection.execute(statement)
        connection.commit()

    event.listen(engine, "checkin", _for_everything)
    return engine


def _read_only(driver: Any) -> None:
    driver.read_only = True


def _for_everything(driver: Any, _record: Any) -> None:
    if driver is not None and driver.read_only and not driver.closed:
        driver.read_only = None
