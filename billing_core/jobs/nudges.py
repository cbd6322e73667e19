"""Nudges: whoever commits work for a queue says so, and whoever waits for such work looks at once.

A nudge carries no work and may be lost: the tables say what is to be done, and every loop also looks by itself.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from billing_core import runtime
from billing_core.processes.models import Queue

log = structlog.get_logger()

# Where processes on PostgreSQL hear each other; the payload is the queue's value.
CHANNEL: Final = "billing_jobs"
# Nudges of so many seconds leave in one statement.
_TOGETHER_SECONDS: Final = 0.05
# How often a loop looks by itself: where it would hear of work, and where nobody tells it.
_HEARING_SECONDS: Final = 30
_DEAF_SECONDS: Final = 5

_waiting: dict[Queue, list[Callable[[], None]]] = {queue: [] for queue in Queue}
# Set while this process hears what others say.
hearing = threading.Event()


def tell(*queues: Queue) -> None:
    """There is work in these queues, and it is committed. Cheap, from any thread, also where no jobs run."""
    wake(*queues)
    if not _sender.take(queues):
        notify(queues)


def wake(*queues: Queue) -> None:
    """Tell this process alone."""
    for queue in queues:
        for look in tuple(_waiting[queue]):
            look()


def wait_for(queue: Queue, look: Callable[[], None]) -> None:
    """Call ``look``, which must return at once, whenever this process hears of work in the queue."""
    _waiting[queue].append(look)


def wait_no_more(queue: Queue, look: Callable[[], None]) -> None:
    """The reverse of ``wait_for``."""
    if look in _waiting[queue]:
        _waiting[queue].remove(look)


def patience_seconds() -> float:
    """How long a loop waits for a nudge before it looks by itself."""
    return _HEARING_SECONDS if hearing.is_set() else _DEAF_SECONDS


def notify(queues: Iterable[Queue]) -> None:
    """Tell the processes that hear this PostgreSQL. On SQLite they look at the file themselves."""
    said = sorted({queue.value for queue in queues})
    try:
        engine = runtime.sessions().engine
        if said and engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(select(*(func.pg_notify(CHANNEL, value) for value in said)))
    except SQLAlchemyError:
        # The change is committed: it must not look as if it had failed.
        log.warning("nudge_not_sent", queues=said)


class _Sender:
    """Takes nudges off the path of those who give them, and sends several at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[Queue] = set()
        self._some = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, queues: Iterable[Queue]) -> bool:
        """False where it does not run."""
        with self._lock:
            if self._thread is None:
                return False
            self._waiting.update(queues)
            self._some.set()
            return True

    def start(self) -> None:
        with self._lock:
            self._ending.clear()
            self._thread = threading.Thread(target=self._send, name="nudges", daemon=True)
            self._thread.start()

    def stop(self, *, timeout_seconds: float) -> None:
        """What was taken still leaves, unless the database keeps it waiting."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._ending.set()
            self._some.set()
        if thread is not None:
            thread.join(timeout_seconds)

    def _send(self) -> None:
        while not self._ending.is_set():
            self._some.wait()
            self._ending.wait(_TOGETHER_SECONDS)
            with self._lock:
                queues, self._waiting = self._waiting, set()
                self._some.clear()
            notify(queues)


_sender = _Sender()


def start_sending() -> None:
    """From now on nudges to other processes leave by a thread of their own."""
    if runtime.sessions().engine.dialect.name == "postgresql":
        _sender.start()


def stop_sending(*, timeout_seconds: float) -> None:
    _sender.stop(timeout_seconds=timeout_seconds)


class Listener:
    """Hears on PostgreSQL what other processes say, on one connection of its own that sends nothing."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if runtime.sessions().engine.dialect.name == "postgresql":
            self._ending.clear()
            self._thread = threading.Thread(target=self._hear, name="hearing", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Hear no more, within a second."""
        self._ending.set()

    def stop(self, *, timeout_seconds: float) -> None:
        self.end()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
            self._thread = None

    def _hear(self) -> None:
        while not self._ending.is_set():
            try:
                self._hear_until_cut_off()
            except Exception as error:  # whatever the driver raises when the database goes away
                log.warning("nudges_not_heard", error=str(error))
            finally:
                hearing.clear()
            self._ending.wait(_DEAF_SECONDS)

    def _hear_until_cut_off(self) -> None:
        borrowed = runtime.sessions().engine.raw_connection()
        connection: Any = borrowed.driver_connection
        # It stays open for good: the pool may open another one in its place.
        borrowed.detach()
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            hearing.set()
            # What was said while nobody listened.
            wake(*Queue)
            while not self._ending.is_set():
                for notification in connection.notifies(timeout=0.5):
                    # Another version may have kinds of work that this one does not know.
                    wake(*(queue for queue in Queue if queue.value == notification.payload))
                    if self._ending.is_set():
                        break
        finally:
            connection.close()
