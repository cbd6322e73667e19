"""The heartbeat: this process says that it lives, learns what is paused, and notices who has fallen silent.

It has a thread of its own, which long work does not keep from beating.
"""

import os
import secrets
import socket
from collections.abc import Callable
from typing import Final

import structlog

from billing_core import VERSION, runtime
from billing_core.database.pool import close_idle
from billing_core.jobs import pauses
from billing_core.jobs.periodic import Periodic
from billing_core.jobs.presence import taking_over
from billing_core.processes import current, queries, service
from billing_core.processes.models import ProcessKind
from billing_core.processes.queries import BEAT_SECONDS

log = structlog.get_logger()

# How often a silence has to be seen, between beats of our own that succeeded: while the database stands still,
# everybody is silent.
_SEEN: Final = 3
# Every so many beats, also look for what nobody living has in hand.
_BEATS_BETWEEN_SWEEPS: Final = 5
# What a burst has opened is closed again; with two that listen, eight connections a process may stand idle.
_BEATS_BETWEEN_CLOSINGS: Final = 10
_IDLE_CONNECTIONS: Final = 5


class Heartbeat:
    """``renamed`` is told when this process needs another id."""

    def __init__(self, kind: ProcessKind, renamed: Callable[[str], None]) -> None:
        self._kind = kind
        self._renamed = renamed
        self._beats = 0
        self._silences: dict[str, int] = {}
        self.loop = Periodic("heartbeat", lambda _ending: self.beat(), every_seconds=BEAT_SECONDS)

    def register(self) -> str:
        """Enter this process under a fresh id, which no other process ever has."""
        process_id = f"{self._kind.value}-{secrets.token_hex(8)}"
        with runtime.sessions().begin() as session:
            service.register(
                session, process_id, self._kind, host=socket.gethostname(), pid=os.getpid(), version=VERSION
            )
        current.become(process_id)
        return process_id

    def beat(self) -> None:
        ours = current.process_id()
        if ours is None:
            return
        with runtime.sessions().begin() as session:
            lives = service.beat(session, ours)
            silent, paused = queries.silent_and_paused(session)
        pauses.learn(paused)
        if not lives:
            # What it had in hand is with others: it goes on as somebody new.
            log.warning("process_was_taken_for_dead", process_id=ours)
            self._renamed(self.register())
        self._beats += 1
        self._silences = {each: self._silences.get(each, 0) + 1 for each in silent}
        missed = [each for each, seen in self._silences.items() if seen >= _SEEN]
        lost = taking_over.declare_lost(missed) if missed else []
        if lost or self._beats % _BEATS_BETWEEN_SWEEPS == 0:
            taking_over.hand_on_orphans()
        if self._beats % _BEATS_BETWEEN_CLOSINGS == 0:
            close_idle(runtime.sessions().engine, keep=_IDLE_CONNECTIONS)
