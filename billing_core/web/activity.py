"""Which sessions and keys are in use, written once a minute.

Requests only note theirs in memory. One statement a minute writes them all, outside the requests, so that nobody waits
for the write lock while an import holds it.
"""

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.identity import api_keys, sessions

EVERY_SECONDS = 60
_log = structlog.get_logger()


class _Written(Protocol):
    def __call__(self, session: Session, ids: Collection[int], /, *, now: datetime) -> None: ...


class LastSeen:
    """``written`` records that these ids were in use."""

    def __init__(self, written: _Written) -> None:
        self._written = written
        self._noted: set[int] = set()

    def note(self, identity: int) -> None:
        self._noted.add(identity)

    def write(self) -> None:
        """Write what was noted; on failure it is written the next time."""
        noted, self._noted = self._noted, set()
        if not noted:
            return
        try:
            with runtime.sessions().begin() as session:
                self._written(session, sorted(noted), now=utc_now())
        except OperationalError:
            self._noted |= noted
            _log.info("the database was busy: last use is written later")


last_seen = LastSeen(sessions.seen)
last_used = LastSeen(api_keys.used)


def write() -> None:
    last_seen.write()
    last_used.write()


async def keep_writing() -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await asyncio.to_thread(write)
