"""The connections of a process, kept for the next who needs one."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool


class Pool(QueuePool):
    """Closes also what comes back to it after its end: a former pool would keep that open until the next garbage
    collection, and on PostgreSQL each is a process of the server.
    """

    _ended = False

    def dispose(self) -> None:
        self._ended = True
        super().dispose()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self._ended:
            super().dispose()


class Prepared(OptionEngine):
    """The engine, for those who want its connections prepared; ``prepare`` is given the driver's own.

    Not by listeners to the engine, nor by options that make SQLAlchemy listen: any of them makes every transaction and
    each statement slower, even one that does nothing. Once it is back, whoever prepares it undoes that ("checkin").
    """

    def __init__(self, engine: Engine, prepare: Callable[[Any], None]) -> None:
        super().__init__(engine, {})
        self._prepare: Final = prepare

    def raw_connection(self) -> PoolProxiedConnection:
        connection = super().raw_connection()
        self._prepare(connection.dbapi_connection)
        return connection


def close_idle(engine: Engine, *, keep: int) -> None:
    """Close the connections that nobody uses, where more than ``keep`` stand idle: the pool itself never does."""
    pool = engine.pool
    if isinstance(pool, QueuePool) and pool.checkedin() > keep:
        engine.dispose()
