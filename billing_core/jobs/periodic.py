"""Loops: small jobs for work that our own tables record, each in its own thread.

Woken by nudges, and every so many seconds by itself, because a nudge may be lost. No turn needs to be remembered, as
DBOS would: what a turn leaves is found by the next one, in whichever process.
"""

import threading
from collections.abc import Callable

import structlog

from billing_core.jobs import lost_file, nudges, pauses
from billing_core.processes.models import Queue

log = structlog.get_logger()
# The jobs that should be running in this process.
_started: dict[str, "Periodic"] = {}


def going_on() -> dict[str, bool]:
    """Whether each started job, by its name, is still running."""
    return {name: job.alive for name, job in _started.items()}


class Periodic:
    """``work`` is called repeatedly, with a function that tells it between steps whether to stop: the process is about
    to end, or the ``queue`` that it works off is paused. Failures are logged, and the work is retried in the next turn.
    ``every_seconds``: how long it waits to be nudged; None: as long as it is worth here.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Callable[[], bool]], object],
        *,
        every_seconds: float | None = None,
        queue: Queue | None = None,
    ) -> None:
        self._name = name
        self._work = work
        self._every_seconds = every_seconds
        self._queue = queue
        self._ending = threading.Event()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start, with a first turn at once."""
        self._ending.clear()
        if self._queue is not None:
            nudges.wait_for(self._queue, self.nudge)
        self._thread = threading.Thread(target=self._turns, name=self._name, daemon=True)
        self._thread.start()
        _started[self._name] = self

    def nudge(self) -> None:
        """Start the next turn at once."""
        self._awake.set()

    def end(self) -> None:
        """Start no more turns; the current one stops after its step."""
        _started.pop(self._name, None)
        if self._queue is not None:
            nudges.wait_no_more(self._queue, self.nudge)
        self._ending.set()
        self._awake.set()

    def stop(self, *, timeout_seconds: float) -> bool:
        """Start no more turns, and wait at most this long for the current step; False where it took longer."""
        self.end()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        return not self.alive

    def _turns(self) -> None:
        while not self._ending.is_set():
            # Before the work: a nudge during it starts another turn.
            self._awake.clear()
            try:
                if not self._is_to_stop():
                    self._work(self._is_to_stop)
                lost_file.look()
            except Exception as error:  # the edge of the job: the database may be back in the next turn
                if not lost_file.explains(error):
                    log.exception("periodic_work_failed", work=self._name)
            if not self._ending.is_set():
                self._awake.wait(self._every_seconds or nudges.patience_seconds())

    def _is_to_stop(self) -> bool:
        return self._ending.is_set() or (self._queue is not None and pauses.is_paused(self._queue))
