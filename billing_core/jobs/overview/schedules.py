"""What is due by the clock: when it ran last, how that went, and when it runs next. From DBOS's own tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, create_engine, inspect, make_url

from billing_core.errors import BillingError
from billing_core.jobs import system_database
from billing_core.processes.models import Queue

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowStatus

# The schedules' names at DBOS.
QUEUES: Final = {
    "reminders": Queue.REMINDERS,
    "payment-links": Queue.LINK_EXPIRY,
    "pruning": Queue.PRUNING,
    "usage-archives": Queue.USAGE_ARCHIVES,
    "returned-mails": Queue.BOUNCES,
}
_TABLE: Final = "workflow_schedules"
_UNDER_WAY: Final = ("ENQUEUED", "PENDING", "DELAYED")
_FAILED: Final = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """``last_run_at``: when the latest run was begun. ``last_failed_at``: the latest run that failed, and why."""

    queue: Queue
    running: bool
    last_run_at: datetime | None
    next_run_at: datetime | None
    last_failed_at: datetime | None
    last_error: str

    @property
    def failed(self) -> bool:
        """Whether its latest run did."""
        return self.last_failed_at is not None and self.last_failed_at == self.last_run_at


def listed(ours: Engine, *, now: datetime) -> list[ScheduleRow]:
    """Every schedule, in the order of ``Queue``; none where no jobs have ever run on this database."""
    with _engine(ours) as engine:
        if engine is None:
            return []
        with _client(engine) as client:
            schedules = [one for one in client.list_schedules() if one["schedule_name"] in QUEUES]
            rows = [_row(client, schedule, now) for schedule in schedules]
    order = list(Queue)
    return sorted(rows, key=lambda row: order.index(row.queue))


def _row(client: "DBOSClient", schedule: Any, now: datetime) -> ScheduleRow:
    latest = _latest(client, schedule["workflow_name"])
    failed = latest if latest and latest.status in _FAILED else _latest(client, schedule["workflow_name"], _FAILED)
    return ScheduleRow(
        QUEUES[schedule["schedule_name"]],
        running=latest is not None and latest.status in _UNDER_WAY,
        last_run_at=_begun_at(latest),
        next_run_at=_next(schedule, now) if schedule["status"] == "ACTIVE" else None,
        last_failed_at=_begun_at(failed),
        last_error=_reason(failed),
    )


def _latest(client: "DBOSClient", name: str, statuses: tuple[str, ...] = ()) -> "WorkflowStatus | None":
    found = client.list_workflows(name=name, status=list(statuses) or None, sort_desc=True, limit=1, load_input=False)
    return found[0] if found else None


def _begun_at(run: "WorkflowStatus | None") -> datetime | None:
    return None if run is None or run.created_at is None else datetime.fromtimestamp(run.created_at / 1000, UTC)


def _reason(failed: "WorkflowStatus | None") -> str:
    if failed is None:
        return ""
    if isinstance(failed.error, BillingError):
        return str(failed.error)
    return "Something went wrong on our side; the log says what"


def _next(schedule: Any, now: datetime) -> datetime:
    from croniter import croniter

    zone = ZoneInfo(schedule["cron_timezone"] or "UTC")
    coming: datetime = croniter(schedule["schedule"], now.astimezone(zone), second_at_beginning=True).get_next(datetime)
    return coming.astimezone(UTC)


@contextmanager
def _engine(ours: Engine) -> Iterator[Engine | None]:
    """Of DBOS's tables; None where there are none. On PostgreSQL ours; a file that is not there is not made."""
    if ours.dialect.name == "postgresql":
        yield ours if inspect(ours).has_table(_TABLE, schema="dbos") else None
        return
    address = make_url(system_database.address(ours.url))
    if not Path(address.database or "").is_file():
        yield None
        return
    beside = create_engine(address)
    try:
        yield beside if inspect(beside).has_table(_TABLE) else None
    finally:
        beside.dispose()


@contextmanager
def _client(engine: Engine) -> Iterator["DBOSClient"]:
    # Loaded once there is something to ask: a command without jobs need not.
    from dbos import DBOSClient

    client = DBOSClient(system_database_engine=engine, lazy=True, retry_connection_errors=False)
    try:
        yield client
    finally:
        client.destroy()
