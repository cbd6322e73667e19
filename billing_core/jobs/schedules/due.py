"""The schedules, which DBOS keeps: each of their times has one workflow, named by it, that any process takes up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from dbos import DBOS

from billing_core.jobs import queues
from billing_core.jobs.schedules import archiving, daily, link_expiry, pruning, returned_mails
from billing_core.processes.models import Queue


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every hour at this minute; with ``hour`` (UTC) once a day; with ``every`` again after so many minutes, a part of
    an hour. ``queue`` is what people pause. ``name`` is kept by the database, and stays.
    """

    name: str
    queue: Queue
    workflow: Callable[[datetime, Any], None]
    minute: int
    hour: int | None = None
    every: int | None = None

    @property
    def cron(self) -> str:
        if self.every is not None:
            return f"{self.minute}-59/{self.every} * * * *"
        return f"{self.minute} {'*' if self.hour is None else self.hour} * * *"

    def last_due(self, now: datetime) -> datetime:
        """When it was due the last time."""
        if self.every is not None:
            due = now.replace(second=0, microsecond=0)
            return due - timedelta(minutes=(now.minute - self.minute) % self.every)
        if self.hour is None:
            due = now.replace(minute=self.minute, second=0, microsecond=0)
            return due if due <= now else due - timedelta(hours=1)
        due = now.replace(hour=self.hour, minute=self.minute, second=0, microsecond=0)
        return due if due <= now else due - timedelta(days=1)


SCHEDULES: Final = (
    Schedule("reminders", Queue.REMINDERS, daily.remind, minute=0),
    Schedule("payment-links", Queue.LINK_EXPIRY, link_expiry.end_links, minute=5),
    Schedule("pruning", Queue.PRUNING, pruning.prune_old, minute=20, hour=2),
    Schedule("usage-archives", Queue.USAGE_ARCHIVES, archiving.archive_usage, minute=40, hour=2),
    Schedule("returned-mails", Queue.BOUNCES, returned_mails.read_returned_mails, minute=0, every=15),
)


def start(now: datetime) -> None:
    """Keep the schedules from now on; and catch up with the last time of each, if no process ran then."""
    DBOS.apply_schedules(
        [
            {
                "schedule_name": schedule.name,
                "workflow_fn": schedule.workflow,
                "schedule": schedule.cron,
                "queue_name": queues.SCHEDULES,
            }
            for schedule in SCHEDULES
        ]
    )
    for schedule in SCHEDULES:
        due = schedule.last_due(now)
        # The name that DBOS itself would have given it: whoever comes second finds it done.
        name = f"sched-{schedule.name}-{due.isoformat()}"
        queues.enqueue(queues.SCHEDULES, schedule.workflow, due, None, workflow_id=name)
