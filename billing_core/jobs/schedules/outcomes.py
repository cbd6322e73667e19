"""Whether what is due by the clock succeeded the last time, for people whom it concerns."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.processes import schedule_outcomes
from billing_core.processes.models import Queue

log = structlog.get_logger()


@contextmanager
def recorded(queue: Queue) -> Iterator[None]:
    """Around the work of one time: a failure needs attention until a later time succeeds."""
    sessions = runtime.sessions()
    try:
        yield
    except Exception as error:
        if isinstance(error, BillingError):
            reason = str(error)
        else:
            reference = secrets.token_hex(4)
            log.exception("schedule_failed", queue=queue.value, reference=reference)
            reason = f"Something went wrong on our side. Reference {reference}"
        with sessions.begin() as session:
            schedule_outcomes.failed(session, queue, reason, now=utc_now())
        raise
    with sessions.begin() as session:
        schedule_outcomes.succeeded(session, queue)
