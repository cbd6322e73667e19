"""Connections to PostgreSQL that one test after the other takes: a new one is a process of the server, which has to get
to know each table anew. To open one takes as long as many a test.
"""

from collections import deque
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

# As if it had just been opened. Statements stay prepared, as they do in the product's pool.
_AS_NEW: Final = (
    "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); CLOSE ALL;"
    " DISCARD TEMP; DISCARD SEQUENCES"
)
_MOST: Final = 4


class KeptConnections:
    """``take`` opens one or gives one that was closed; whoever has it closes it as any other."""

    def __init__(self, **address: Any) -> None:
        self._address, self._free = address, list[_Kept]()

    def take(self) -> psycopg.Connection:
        while self._free:
            kept = self._free.pop()
            if kept.is_well():
                return kept
            kept.end()
        opened = _Kept.connect(**self._address)
        opened.owner = self
        return opened

    @property
    def processes(self) -> list[int]:
        """Those of the server that wait for the next test."""
        return [kept.info.backend_pid for kept in self._free]

    def keep(self, connection: "_Kept") -> bool:
        if len(self._free) >= _MOST:
            return False
        self._free.append(connection)
        return True

    def end(self) -> None:
        while self._free:
            self._free.pop().end()


class _Kept(psycopg.Connection[Any]):
    owner: KeptConnections | None = None

    def close(self) -> None:
        if self.closed or self._is_at_work():
            self.end()
            return
        try:
            self._become_as_new()
        except psycopg.Error:
            self.end()
        else:
            if self.owner is None or not self.owner.keep(self):
                self.end()

    def end(self) -> None:
        super().close()

    def is_well(self) -> bool:
        """The server may have ended it meanwhile, which only a statement tells."""
        try:
            self.execute("SELECT", prepare=False)
            self.rollback()
        except psycopg.Error:
            return False
        return True

    def _is_at_work(self) -> bool:
        """It is closed to end what another thread does with it, or in the middle of what it brings."""
        return self.lock.locked() or self.info.transaction_status is TransactionStatus.ACTIVE

    def _become_as_new(self) -> None:
        self.rollback()
        self._notice_handlers.clear()
        self._notify_handlers.clear()
        self.isolation_level = self.read_only = self.deferrable = None
        self.autocommit = True
        self.execute(_AS_NEW, prepare=False)
        self.autocommit = False
        self._notifies_backlog = deque()
