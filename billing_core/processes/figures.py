"""The figures of processes that died, of work that people have paused, and of what failed when it was due."""

from typing import Any, Final

from sqlalchemy import Select, String, cast, func

from billing_core.figures import Figure, Scope, day_of, one_each
from billing_core.identity import Permission
from billing_core.processes.models import FailedSchedule, PausedQueue, Process


def _lost(_scope: Scope) -> Select[*tuple[Any, ...]]:
    # Their ids are words; rows of figures are numbered.
    number = func.row_number().over(order_by=(Process.lost_at, Process.id))
    named = Process.host + ", process " + cast(Process.pid, String)
    return one_each(number, named, day_of(Process.lost_at)).where(
        Process.lost_at.is_not(None), Process.dismissed_at.is_(None)
    )


def _paused(_scope: Scope) -> Select[*tuple[Any, ...]]:
    number = func.row_number().over(order_by=(PausedQueue.paused_at, PausedQueue.queue))
    named = cast(PausedQueue.queue, String) + ", paused by " + PausedQueue.paused_by
    return one_each(number, named, day_of(PausedQueue.paused_at))


def _failed(_scope: Scope) -> Select[*tuple[Any, ...]]:
    number = func.row_number().over(order_by=(FailedSchedule.failed_at, FailedSchedule.queue))
    named = cast(FailedSchedule.queue, String) + ": " + FailedSchedule.reason
    return one_each(number, named, day_of(FailedSchedule.failed_at))


FAILED_SCHEDULES: Final = Figure(
    key="failed_schedules",
    title="Scheduled work that failed",
    definition="Work that is due by the clock (reminders, the end of payment links, pruning, archives of usage, mails "
    "that came back) and failed the last time. The next time tries again; once it succeeds the failure is gone from "
    "here.",
    formula="number of kinds of work",
    permission=Permission.JOBS_MANAGE,
    rows=_failed,
)
PAUSED_QUEUES: Final = Figure(
    key="paused_queues",
    title="Background work that is paused",
    definition="Kinds of background work that somebody has paused: what comes in waits until somebody resumes them.",
    formula="number of paused kinds of work",
    permission=Permission.JOBS_MANAGE,
    rows=_paused,
)
LOST_PROCESSES: Final = Figure(
    key="lost_processes",
    title="Processes that were lost",
    definition="Copies of the product or of a worker that fell silent without saying that they end, until somebody "
    "dismisses them. What they had in hand went on elsewhere.",
    formula="number of processes",
    permission=Permission.JOBS_MANAGE,
    rows=_lost,
)
