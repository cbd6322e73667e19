"""DBOS on a test's database, with schedules of ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from dbos import DBOS

from billing_core.errors import Conflict
from billing_core.jobs import system_database


@DBOS.workflow()
def quiet(_due_at: datetime, _context: Any) -> None:
    """Nothing was due."""


@DBOS.workflow()
def refused(_due_at: datetime, _context: Any) -> None:
    raise Conflict("The business has no time zone")


@DBOS.workflow()
def broken(_due_at: datetime, _context: Any) -> None:
    raise ZeroDivisionError("a bug")


@DBOS.workflow()
def fails_at_first(due_at: datetime, _context: Any) -> None:
    if due_at.hour < 10:
        raise Conflict("Not yet")


@contextmanager
def running(sessions) -> Iterator[None]:
    address = system_database.address(sessions.engine.url)
    DBOS(config={"name": "billing", "system_database_url": address, "log_level": "CRITICAL"})
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


def schedule(name: str, workflow: Callable[..., None], cron: str = "0 * * * *") -> None:
    DBOS.apply_schedules([{"schedule_name": name, "workflow_fn": workflow, "schedule": cron}])


def run(workflow: Callable[..., None], at: datetime) -> None:
    with suppress(Conflict, ZeroDivisionError):
        DBOS.start_workflow(workflow, at, None).get_result()


def set_up(sessions) -> None:
    """Reminders once an hour, which have not run yet."""
    with running(sessions):
        schedule("reminders", quiet)
