"""Events of usage go into archives once they are as old as a setting says: once a day, what ``usage archive`` does."""

from datetime import UTC, datetime
from typing import Any

import structlog
from dbos import DBOS

from billing_core import runtime
from billing_core.dates import add_months, utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs import pauses
from billing_core.jobs.schedules import outcomes
from billing_core.metering.archives import service
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()


@DBOS.workflow(name="archive_usage")
def archive_usage(_due_at: datetime, _context: Any) -> None:
    if not pauses.is_paused(Queue.USAGE_ARCHIVES):
        with outcomes.recorded(Queue.USAGE_ARCHIVES):
            _archive_step()


def archive_old(now: datetime | None = None) -> int:
    """Archive the months of UTC whose events are all older than the months of the setting; returns how many. None
    without the setting.
    """
    now = now or utc_now()
    months, folder = settings().archive_usage_after_months, settings().archive_usage_dir
    if months is None or folder is None:
        return 0
    before = add_months(now.astimezone(UTC).date(), -months)
    made = service.archive_before(runtime.sessions(), SYSTEM, before, folder, now=now)
    for one in made:
        log.info("usage_archived", month=f"{one.month:%Y-%m}", file=str(one.file), events=one.events, bytes=one.size)
    return len(made)


@DBOS.step(name="archive_old_usage")
def _archive_step() -> int:
    return archive_old()
