"""Small work that is due every few seconds, in a thread of its own.

For what finds in our own tables whatever is left to do: nothing has to be remembered of a single turn, as DBOS would.
"""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()
# Those that should be going on in this process.
_started: dict[str, "Periodic"] = {}


def going_on() -> dict[str, bool]:
    """Whether each job that was started, by its name, is still there to take its turns."""
    return {name: job.alive for name, job in _started.items()}


class Periodic:
    """``work`` is called, again and again, with a question to ask between its steps: is the process about to end?

    What fails is logged, and tried again in the next turn.
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
        """Begin, with a first turn at once."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._turns, name=self._name, daemon=True)
        self._thread.start()
        _started[self._name] = self

    def nudge(self) -> None:
        """Begin the next turn at once."""
        self._awake.set()

    def stop(self, *, patience_seconds: float) -> None:
        """Begin no more, and wait so long for the step that is going on."""
        _started.pop(self._name, None)
        self._ending.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(patience_seconds)

    def _turns(self) -> None:
        while not self._ending.is_set():
            # Before the work: a nudge in the middle of it is for another turn.
            self._awake.clear()
            try:
                self._work(self._ending.is_set)
            except Exception:  # the edge of the job: the database may be back in the next turn
                log.exception("periodic_work_failed", work=self._name)
            if not self._ending.is_set():
                self._awake.wait(self._every_seconds)
