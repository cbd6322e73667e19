"""Billing the customers of a run, one after the other. Does not import DBOS, so that a command need not load it."""

import secrets
import time

import structlog

from billing_core import runtime
from billing_core.bill_runs import steps
from billing_core.dates import utc_now
from billing_core.errors import BillingError

log = structlog.get_logger()


def run_here(run_id: int) -> None:
    """Complete the run before returning, for a command."""
    while bill_next(run_id):
        pass
    finish(run_id)


def bill_next(run_id: int) -> bool:
    """Bill the next customer; False where none waits. A failure is recorded with its reason, and the run goes on."""
    sessions = runtime.sessions()
    with sessions() as session:
        customer_id = steps.next_waiting(session, run_id)
    if customer_id is None:
        return False
    began = time.monotonic()
    try:
        with sessions.begin() as session:
            steps.bill(session, run_id, customer_id, now=utc_now())
            steps.note_duration(session, run_id, customer_id, _milliseconds_since(began))
    except BillingError as refusal:
        reason = str(refusal)
    except Exception:  # the edge of the job: a bug with one customer must not stop the others
        reference = secrets.token_hex(4)
        log.exception("bill_run_failed", run_id=run_id, customer_id=customer_id, reference=reference)
        reason = f"Something went wrong on our side. Reference {reference}"
    else:
        return True
    with sessions.begin() as session:
        steps.note_failure(session, run_id, customer_id, reason, now=utc_now())
        steps.note_duration(session, run_id, customer_id, _milliseconds_since(began))
    return True


def finish(run_id: int) -> None:
    with runtime.sessions().begin() as session:
        steps.finish(session, run_id, now=utc_now())


def _milliseconds_since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
