"""Events that arrive together are stored in one transaction, as the commit is the slowest part of storing.

One thread stores for all that wait; the others find their event already stored.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from billing_core.database import Sessions
from billing_core.online_payments.webhooks import inbox


@dataclass(slots=True, eq=False)
class _Waiting:
    row: Mapping[str, Any]
    done: bool = False
    failed: BaseException | None = None


class GroupCommit:
    """One per process, called from as many threads as there are requests."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._queue = threading.Lock()
        self._waiting: list[_Waiting] = []

    def store(self, sessions: Sessions, event: Mapping[str, Any], payload: bytes, *, now: datetime) -> None:
        """Returns once the event is on disk. Invalid ("malformed") where it is not a valid event."""
        mine = _Waiting(inbox.row_of(event, payload, now))
        with self._queue:
            self._waiting.append(mine)
        with self._turn:
            if not mine.done:
                self._store_all(sessions)
        if mine.failed is not None:
            raise mine.failed

    def _store_all(self, sessions: Sessions) -> None:
        with self._queue:
            batch, self._waiting = self._waiting, []
        try:
            with sessions.begin() as session:
                # In the same order in every process, to avoid a deadlock.
                inbox.store_rows(session, sorted((one.row for one in batch), key=itemgetter("event_id")))
        except BaseException as error:  # each waiting thread gets the failure, whatever it is
            for one in batch:
                one.failed = error
        finally:
            for one in batch:
                one.done = True


# This process's own.
group_commit = GroupCommit()
