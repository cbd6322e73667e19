"""Small jobs that run every few seconds, each in its own thread.

For work that our own tables record: no turn needs to be remembered, as DBOS would.
"""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()
# The jobs that should be running in this process.
_started: dict[str, "Periodic"] = {}


def going_on() -> dict[str, bool]:
    """Whether each started job, by its name, is still running."""
    return {name: job.alive for name, job in _started.items()}


class Periodic:
    """``work`` is called repeatedly, with a function that tells it between steps whether the process is about to end.
    Failures are logged, and the work is retried in the next turn.
    """

    def __init__(self, name: str, work: Callable[[Callable[[], bool]], object], *, every_seconds: float) -> None:
        self._name = name
        self._work = work
        self._every_seconds = every_seconds
        self._ending = threading.Event()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start, with a first turn at once."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._turns, name=self._name, daemon=True)
        self._thread.start()
        _started[self._name] = self

    def nudge(self) -> None:
        """Start the next turn at once."""
        self._awake.set()

    def stop(self, *, timeout_seconds: float) -> None:
        """Start no more turns, and wait at most this long for the current step."""
        _started.pop(self._name, None)
        self._ending.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def _turns(self) -> None:
        while not self._ending.is_set():
            # Before the work: a nudge during it starts another turn.
            self._awake.clear()
            try:
                self._work(self._ending.is_set)
            except Exception:  # the edge of the job: the database may be back in the next turn
                log.exception("periodic_work_failed", work=self._name)
            if not self._ending.is_set():
                self._awake.wait(self._every_seconds)
