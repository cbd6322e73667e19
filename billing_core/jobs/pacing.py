"""How often DBOS asks its database for work: when somebody says that there is some, not every second.

DBOS reads the list of queues, each queue's settings and each queue's next workflows once a second, and asks as often
who does its housekeeping. A queue's interval is a setting, but its settings are read in the same turn, and the other
intervals are constants of its modules. With four queues that is more than twenty statements a second for nothing.

So these reads of the one launched instance pass a gate here. It opens when this process is nudged, while it has work of
the queue in hand or has just taken some, and every minute; in between they answer from memory, or that there is
nothing. ``tests/jobs/test_pacing.py`` shows that the names exist in the DBOS that is pinned, and counts what reaches a
server.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from dbos._dbos import _get_dbos_instance
from dbos._utils import INTERNAL_QUEUE_NAME, GlobalParams

# DBOS's own queue, where it puts recovered workflows that had none.
INTERNAL: Final = INTERNAL_QUEUE_NAME
# A nudge may be lost. The loops that hand out work look more often, and tell of it again.
_LOOKS_BY_ITSELF_SECONDS: Final = 60.0
# With work in hand: what ends makes room for the next. DBOS's own interval.
_BUSY_SECONDS: Final = 1.0
# So long after something was taken up or in hand the next is expected.
_JUST_TAKEN_SECONDS: Final = 5.0


class Gate:
    """Says whether it is time to look. Opened from any thread; passed by the thread of one queue."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opened = threading.Event()
        self._opened.set()
        self._looked = self._took = float("-inf")

    def open(self) -> None:
        self._opened.set()

    def took_some(self) -> None:
        """There may be more."""
        self._took = self._clock()
        self._opened.set()

    def has_some(self) -> None:
        """There is work in hand: when it ends there is room for more."""
        self._took = self._clock()

    def passes(self) -> bool:
        now = self._clock()
        expected = now - self._took < _JUST_TAKEN_SECONDS
        due = now - self._looked >= (_BUSY_SECONDS if expected else _LOOKS_BY_ITSELF_SECONDS)
        if not (due or self._opened.is_set()):
            return False
        self._opened.clear()
        self._looked = now
        return True


class Pacing:
    """The gates of the launched instance. ``held``: whether a queue is not to be taken from now, by its name."""

    def __init__(self, held: Callable[[str], bool]) -> None:
        self._held = held
        self._gates: dict[str, Gate] = {}
        self._in_hand: dict[str, int] = {}
        # Queues from which a thread of DBOS is taking workflows, and those that it took and has not begun.
        self._taking: set[str] = set()
        self._taken: set[str] = set()
        self._instance = _get_dbos_instance()
        self._executor = self._instance._executor
        database = self._instance._sys_db
        self._list_queues = database.list_queues
        self._get_queue = database.get_queue
        self._start_queued_workflows = database.start_queued_workflows
        self._active = self._instance._active_workflows_set
        self._add_active = self._active.add
        self._background_job_lock = database.background_job_lock
        self._queues: list[Any] = []
        # On the instance, which ends with the launch; the library itself stays as it is.
        for owner, name, ours in (
            (database, "list_queues", self._paced_list_queues),
            (database, "get_queue", self._paced_get_queue),
            (database, "start_queued_workflows", self._paced_start_queued_workflows),
            (database, "background_job_lock", self._paced_background_job_lock),
            (self._active, "add", self._add_begun),
        ):
            setattr(owner, name, ours)

    def look(self, *queue_names: str) -> None:
        """There is work in these queues."""
        for name in queue_names:
            self._gate("work", name).open()

    def in_hand(self) -> list[str]:
        """The ids of the workflows that this process has taken up, and the queues from which it is taking some.

        DBOS lists one when its thread begins, some reads after the database has noted who has it. Handed over in
        between, it would run here all the same.
        """
        # In this order: what is taken appears in each before it leaves the one before.
        return list(dict.fromkeys([*self._taking.copy(), *self._taken.copy(), *self._active.activeList()]))

    def ends(self, *, within_seconds: float) -> bool:
        """Whether no workflow of the instance, which was stopped, has a thread of its own any more after that time.

        One that was handed over before its outcome was recorded is not in hand, but its thread waits for what another
        process makes of it.
        """
        end = threading.Thread(target=self._executor.shutdown, name="last workflows", daemon=True)
        end.start()
        end.join(within_seconds)
        return not end.is_alive()

    def _gate(self, kind: str, name: str = "") -> Gate:
        return self._gates.setdefault(f"{kind} {name}", Gate())

    def _paced_list_queues(self, **arguments: Any) -> list[Any]:
        if self._gate("list").passes():
            self._queues = self._list_queues(**arguments)
        return list(self._queues)

    def _paced_get_queue(self, name: str, **arguments: Any) -> Any:
        # Asked in each turn, also while the queue's limit keeps this process from taking more.
        self._note_in_hand(name)
        known = {queue.name: queue for queue in self._queues}
        return known[name] if name in known else self._get_queue(name, **arguments)

    def _paced_start_queued_workflows(self, queue: Any, *arguments: Any, **options: Any) -> Any:
        if self._held(queue.name):
            return [], None
        self._note_in_hand(queue.name)
        gate = self._gate("work", queue.name)
        if not gate.passes():
            return [], None
        self._taking.add(queue.name)
        try:
            # Again: who ends meanwhile has either seen what is being taken, or is seen here.
            if self._held(queue.name):
                return [], None
            started, stopped_by = self._start_queued_workflows(queue, *arguments, **options)
            self._taken.update(started)
        except Exception:  # another process had the lock, or the database is away: DBOS decides, and tries again
            gate.open()
            raise
        finally:
            self._taking.discard(queue.name)
        if started:
            gate.took_some()
        elif stopped_by:
            # A limit holds for all processes: when somebody else's work ends there is room.
            gate.has_some()
        return started, stopped_by

    def _add_begun(self, workflow_id: str, *arguments: Any) -> Any:
        entry = self._add_active(workflow_id, *arguments)
        self._taken.discard(workflow_id)
        return entry

    def _note_in_hand(self, queue_name: str) -> None:
        """What is in hand, and whether some of it ended since the last turn, which makes room for more."""
        gate, count = self._gate("work", queue_name), self._active.count_for_queue(queue_name)
        if count:
            gate.has_some()
        if count < self._in_hand.get(queue_name, 0):
            gate.open()
        self._in_hand[queue_name] = count

    def _paced_background_job_lock(self, job_name: str) -> AbstractContextManager[bool]:
        # What it does is for delayed workflows and for deadlines.
        if self._gate("housekeeping", job_name).passes():
            return self._background_job_lock(job_name)
        return _not_taken()


@contextmanager
def _not_taken() -> Iterator[bool]:
    yield False


def be_executor(process_id: str) -> None:
    """Take up workflows under this id from now on."""
    GlobalParams.executor_id = process_id
    _get_dbos_instance()._sys_db.executor_id = process_id


def known_workflows() -> set[str]:
    """The names of the workflows that this version can run."""
    return set(_get_dbos_instance()._registry.workflow_info_map)
