"""The connections of a process, kept for the next who needs one."""

from sqlalchemy import Engine
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


def close_idle(engine: Engine, *, keep: int) -> None:
    """Close the connections that nobody uses, where more than ``keep`` stand idle: the pool itself never does."""
    pool = engine.pool
    if isinstance(pool, QueuePool) and pool.checkedin() > keep:
        engine.dispose()
