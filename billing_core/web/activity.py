"""Which sessions are in use, written down once a minute.

Requests only note their session here. One statement a minute writes them all, beside the requests, so that nobody
waits for the write lock while an import holds it.
"""

import asyncio

import structlog
from sqlalchemy.exc import OperationalError

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import sessions

EVERY_SECONDS = 60
_log = structlog.get_logger()


class LastSeen:
    def __init__(self) -> None:
        self._noted: set[int] = set()

    def note(self, session_id: int) -> None:
        self._noted.add(session_id)

    def write(self) -> None:
        """Write down what was noted; what cannot be written now is kept for the next time."""
        noted, self._noted = self._noted, set()
        if not noted:
            return
        try:
            with runtime.sessions().begin() as session:
                sessions.seen(session, sorted(noted), now=utc_now())
        except OperationalError:
            self._noted |= noted
            _log.info("the database was busy: sessions' last use is written later")

    async def keep_writing(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await asyncio.to_thread(self.write)


last_seen = LastSeen()
