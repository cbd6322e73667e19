"""The mailbox to which mails come back is read every quarter of an hour."""

from datetime import datetime
from typing import Any

import structlog
from dbos import DBOS

from billing_core import runtime
from billing_core.bounces import reading
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.jobs import pauses
from billing_core.jobs.schedules import outcomes
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()


@DBOS.workflow(name="read_returned_mails")
def read_returned_mails(_due_at: datetime, _context: Any) -> None:
    if not pauses.is_paused(Queue.BOUNCES):
        with outcomes.recorded(Queue.BOUNCES):
            _read_step()


def read_mailbox(now: datetime | None = None) -> int:
    """Read what has come to the mailbox of the setting; returns of how many receivers that told something new. Nothing
    without the setting.
    """
    box = settings().bounces_from
    if box is None:
        return 0
    new = reading.read(
        runtime.sessions(), SYSTEM, box, now=now or utc_now(), ending=lambda: pauses.is_paused(Queue.BOUNCES)
    )
    if new:
        log.info("mails_came_back", receivers=new)
    return new


@DBOS.step(name="read_mailbox")
def _read_step() -> int:
    return read_mailbox()
