"""How far a run is, how fast, and whether anybody works on it."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from billing_core.bill_runs import planning, progress, taking
from billing_core.bill_runs.models import BillRunCustomer, RunOutcome
from billing_core.bill_runs.progress import Progress
from billing_core.identity import SYSTEM
from billing_core.processes import service as processes
from billing_core.processes.models import Process, ProcessKind
from tests.bill_runs.company import in_hand
from tests.reports.company import MARCH, NOW, a_customer, an_order

ONE, OTHER = "worker-1", "worker-2"


@pytest.fixture
def run_id(session) -> int:
    """A run over forty customers, in four chunks."""
    for n in range(40):
        an_order(session, a_customer(session, f"C{n}", name=f"Customer {n}"), f"SO-{n}")
    return planning.plan(session, SYSTEM, customer_ids=None, period=MARCH, now=NOW)


def seen(session, run_id, *, seconds: int) -> Progress:
    return progress.progress(session, SYSTEM, run_id, now=NOW + timedelta(seconds=seconds))


def done(session, run_id, *, count: int, every: float, milliseconds: int) -> None:
    """So many customers, of which one was finished every so many seconds."""
    for n in range(count):
        customer_id = session.scalar(
            select(func.min(BillRunCustomer.customer_id)).where(
                BillRunCustomer.run_id == run_id, BillRunCustomer.outcome == RunOutcome.WAITING
            )
        )
        facts = {"outcome": RunOutcome.CREATED, "milliseconds": milliseconds}
        facts["finished_at"] = NOW + timedelta(seconds=(n + 1) * every)
        taking.mark(session, taking.terms(session, run_id), customer_id, facts)


def lives(session, process_id: str) -> None:
    processes.register(session, process_id, ProcessKind.WORKER, host="h", pid=1, version="1")


def test_no_time_is_promised_for_a_run_that_nobody_works_on(session, run_id):
    done(session, run_id, count=10, every=2, milliseconds=2000)
    taking.take_up(session, taking.terms(session, run_id), 1, "worker-who-never-was")
    stands = seen(session, run_id, seconds=20)
    assert (stands.done, stands.running, stands.worked_on, stands.seconds_left) == (10, True, 0, None)


def test_the_time_left_follows_from_the_rate_of_the_last_minute(session, run_id):
    lives(session, ONE)
    lives(session, OTHER)
    assert seen(session, run_id, seconds=1).per_minute == 0
    done(session, run_id, count=10, every=2, milliseconds=2000)
    for chunk, process_id in ((1, ONE), (2, OTHER)):
        taking.take_up(session, taking.terms(session, run_id), chunk, process_id)

    at_once = seen(session, run_id, seconds=20)
    # Ten in 20 seconds: 30 a minute, and 60 seconds for the other thirty.
    assert (at_once.worked_on, at_once.per_minute, at_once.seconds_left) == (2, pytest.approx(30), 60)
    later = seen(session, run_id, seconds=72)
    # Those of the last minute were finished in the seconds 14 to 20: four.
    assert (later.per_minute, later.seconds_left) == (pytest.approx(4), 450)
    assert seen(session, run_id, seconds=100).per_minute == 0


def test_a_process_that_died_is_not_counted_and_its_customers_can_be_taken_up(session, run_id):
    lives(session, ONE)
    lives(session, OTHER)
    terms = taking.terms(session, run_id)
    taking.take_up(session, terms, 0, ONE)
    taking.take_up(session, terms, 0, OTHER)
    assert in_hand(session, run_id)[:10] == [ONE] * 10
    assert taking.free_chunk(session, terms) == 3

    session.execute(update(Process).where(Process.id == ONE).values(ended_at=NOW))
    assert seen(session, run_id, seconds=1).worked_on == 0
    assert taking.free_chunk(session, terms) == 3
    taking.take_up(session, terms, 0, OTHER)
    assert in_hand(session, run_id)[:10] == [OTHER] * 10
    assert seen(session, run_id, seconds=1).worked_on == 1
    taking.let_go(session, terms, 0, OTHER)
    assert in_hand(session, run_id)[:10] == [None] * 10


def test_a_run_is_finished_once_nobody_waits_and_not_by_a_former_attempt(session, run_id):
    assert not taking.finish(session, run_id, 1, now=NOW)
    session.execute(update(BillRunCustomer).values(outcome=RunOutcome.CREATED))
    assert not taking.finish(session, run_id, 2, now=NOW)
    assert taking.finish(session, run_id, 1, now=NOW)
    assert not taking.finish(session, run_id, 1, now=NOW)
    assert seen(session, run_id, seconds=1).finished_at == NOW


def test_the_newest_runs_come_first_each_with_its_own_counts(session, run_id):
    done(session, run_id, count=2, every=1, milliseconds=1)
    planning.cancel(session, SYSTEM, run_id, now=NOW)
    later = planning.plan(session, SYSTEM, customer_ids=[1], period=MARCH, now=NOW + timedelta(hours=1))
    both = progress.recent(session, SYSTEM, now=NOW)
    assert [(run.run_id, run.total, run.done, run.all_customers) for run in both] == [
        (later, 1, 0, False),
        (run_id, 40, 2, True),
    ]
