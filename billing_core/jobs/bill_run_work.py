"""Working off the customers of a run in this process. Does not import DBOS, so that a command need not load it."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy import text

from billing_core import runtime
from billing_core.bill_runs import taking, workflow
from billing_core.bill_runs.taking import Terms
from billing_core.bill_runs.workflow import AWAY
from billing_core.dates import utc_now
from billing_core.jobs import nudges
from billing_core.online_payments.gateway import Gateway
from billing_core.processes import current
from billing_core.processes.models import Queue
from billing_core.settings import settings

log = structlog.get_logger()

# Customers of a run make mails and events.
_FOLLOWING: Final = (Queue.MAILS, Queue.GATEWAYS, Queue.OUTGOING_WEBHOOKS, Queue.SEALING)
# While the database answers, but not for one customer: then it is that customer's failure.
_TRIES: Final = 4
_WAIT_SECONDS: Final = (0.1, 0.5, 1.0, 2.0)


def _never() -> bool:
    return False


def work_off(run_id: int, attempt: int, chunk: int, ending: Callable[[], bool] = _never) -> None:
    """Bill the customers of one chunk, until none waits, the run no longer goes on, or the process is ending."""
    sessions, process_id = runtime.sessions(), current.process_id()
    terms = _begun(run_id, attempt, chunk, process_id, ending)
    if terms is None:
        return
    tries = 0
    while not ending():
        try:
            if not workflow.bill_next(sessions, _gateway, terms, chunk, now=utc_now(), give_up=tries >= _TRIES):
                break
            tries = 0
        except AWAY:
            tries = _after_trouble(run_id, tries, ending)
    # Where even that fails, it is freed with all that a process which ends or dies has in hand.
    with suppress(*AWAY), sessions.begin() as session:
        taking.let_go(session, terms, chunk, process_id)
    nudges.tell(*_FOLLOWING)


def finish(run_id: int, attempt: int) -> bool:
    """Finish the run if every customer is done; True where this did."""
    with runtime.sessions().begin() as session:
        return taking.finish(session, run_id, attempt, now=utc_now())


def run_here(run_id: int) -> None:
    """Work off all of the run that no other process has in hand, before returning."""
    while help_with(run_id):
        pass


def help_with(run_id: int, ending: Callable[[], bool] = _never) -> bool:
    """Work off one chunk that no living process has in hand; False where there is none now."""
    with runtime.sessions()() as session:
        terms = taking.terms(session, run_id)
        chunk = taking.free_chunk(session, terms)
    if chunk is not None:
        work_off(run_id, terms.attempt, chunk, ending)
    finish(run_id, terms.attempt)
    return chunk is not None


def _begun(run_id: int, attempt: int, chunk: int, process_id: str | None, ending: Callable[[], bool]) -> Terms | None:
    """The terms of the run, with the chunk in this process's hand; None where the process ends first, or where another
    attempt has taken the place of this one.
    """
    tries = 0
    while not ending():
        try:
            with runtime.sessions().begin() as session:
                terms = taking.terms(session, run_id)
                if terms.attempt != attempt:
                    return None
                taking.take_up(session, terms, chunk, process_id)
                return terms
        except AWAY:
            tries = _after_trouble(run_id, tries, ending)
    return None


def _after_trouble(run_id: int, tries: int, ending: Callable[[], bool]) -> int:
    """Wait a while; returns how often the same was tried in vain while the database did answer others."""
    log.warning("bill_run_waits", run_id=run_id, because="the database does not answer")
    until = time.monotonic() + _WAIT_SECONDS[min(tries, len(_WAIT_SECONDS) - 1)]
    while not ending() and time.monotonic() < until:
        time.sleep(0.05)
    try:
        with runtime.sessions().begin() as session:
            session.execute(text("SELECT 1"))
    except AWAY:
        return tries
    return tries + 1


def _gateway() -> Gateway:
    # Takes long to load, and few runs make links.
    from billing_core.online_payments import configured

    return configured.gateway(runtime.sessions(), settings())
