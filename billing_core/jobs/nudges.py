"""Nudges: whoever commits work for a queue says so, and whoever waits for such work looks at once.

A nudge carries no work and may be lost: the tables say what is to be done, and every loop also looks by itself.
"""

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from billing_core import runtime
from billing_core.processes.models import Queue

log = structlog.get_logger()

# Where processes on PostgreSQL hear each other; the payload is the queue's value.
CHANNEL: Final = "billing_jobs"

_waiting: dict[Queue, list[Callable[[], None]]] = {queue: [] for queue in Queue}


def tell(*queues: Queue) -> None:
    """There is work in these queues, and it is committed. Cheap, from any thread, also where no jobs run."""
    wake(*queues)
    notify(*queues)


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


def notify(*queues: Queue) -> None:
    """Tell the processes that hear this PostgreSQL. On SQLite they look at the file themselves."""
    try:
        engine = runtime.sessions().engine
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for queue in queues:
                    connection.execute(select(func.pg_notify(CHANNEL, queue.value)))
    except SQLAlchemyError:
        # The change is committed: it must not look as if it had failed.
        log.warning("nudge_not_sent", queues=[queue.value for queue in queues])
