"""Bill runs in the background: begun, taken over, handed on, and never left lying."""

import asyncio
import os
import threading
import time

import pytest
from dbos import DBOS, SetWorkflowID
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from billing_core import runtime
from billing_core.bill_runs import planning, taking, workflow
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome, RunSource
from billing_core.identity import SYSTEM
from billing_core.jobs import bill_run, bill_run_work, engine, pauses, queues
from billing_core.jobs.presence import taking_over
from billing_core.metering.models import UsagePeriod
from billing_core.processes import pausing
from billing_core.processes.models import Process, Queue
from billing_core.reports import verification
from tests.bill_runs.company import in_hand, made, planned, rows, seen, some_customers
from tests.bill_runs.usage_company import metered_plan, uses
from tests.forked import carried_out
from tests.jobs.test_taking_over import silence
from tests.reports.company import LATER, NOW

pytestmark = pytest.mark.slow

WITHIN_SECONDS = 300


@pytest.fixture
def company(sessions, monkeypatch) -> list[int]:
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        return some_customers(session, 5)


@pytest.fixture
def jobs(company):
    """The jobs of this process run."""
    engine.start()
    yield
    engine.stop()


def finished(sessions, run_id):
    """The progress once the run is finished."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while (done := seen(sessions, run_id)).finished_at is None:
        assert time.monotonic() < deadline, done
        time.sleep(0.05)
    return done


def taken_over(sessions, run_id):
    """The progress once this process has finished what a dead one began."""
    # How it comes about that somebody is missed is tested elsewhere.
    silence(sessions)
    with sessions() as session:
        missed = session.scalars(select(Process.id)).all()
    assert taking_over.declare_lost(missed) == missed
    engine.start()
    try:
        return finished(sessions, run_id)
    finally:
        engine.stop()


def ended_workflows(run_id: int) -> set[str]:
    found = DBOS.list_workflows(workflow_id_prefix=f"bill-run-{run_id}.")
    return {workflow.workflow_id for workflow in found if workflow.status == "SUCCESS"}


def attempt_of(sessions, run_id) -> int:
    with sessions() as session:
        return session.scalars(select(BillRun.attempt).where(BillRun.id == run_id)).one()


def test_it_goes_on_in_chunks_however_often_it_is_begun(sessions, company, jobs):
    with sessions.begin() as session:
        company += some_customers(session, 8, named="D")
    run_id = planned(sessions, goal=RunGoal.SENT)
    bill_run.begin(run_id)
    bill_run.begin(run_id)

    assert (finished(sessions, run_id).created, made(sessions, company)["mails"]) == (13, dict.fromkeys(company, 1))
    names = {f"bill-run-{run_id}.1", f"bill-run-{run_id}.1-chunk-0", f"bill-run-{run_id}.1-chunk-1"}
    deadline = time.monotonic() + WITHIN_SECONDS
    while ended_workflows(run_id) != names and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ended_workflows(run_id) == names


def test_a_retry_is_another_attempt(sessions, company, jobs, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(workflow.steps.from_orders.service, "generate", None)
        run_id = planned(sessions)
        bill_run.begin(run_id)
        assert finished(sessions, run_id).failed == 5
    with sessions.begin() as session:
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    bill_run.begin(run_id)
    assert (finished(sessions, run_id).created, attempt_of(sessions, run_id)) == (5, 2)


def test_a_run_that_was_never_begun_is_found_at_the_next_start(sessions, company):
    run_id = planned(sessions)
    bill_run.begin(run_id)  # no jobs in this process: nothing happens
    assert seen(sessions, run_id).done == 0

    async def process():
        async with engine.lifespan(render=lambda *_: None, serialise=lambda _: b"{}"):
            await asyncio.to_thread(finished, sessions, run_id)

    asyncio.run(process())
    assert seen(sessions, run_id).created == 5


def test_what_its_workflows_left_behind_is_begun_again(sessions, company, jobs):
    run_id = planned(sessions)
    bill_run.begin(run_id)
    finished(sessions, run_id)
    # As after a crash that DBOS's own tables did not survive, or of whose end they knew.
    with sessions.begin() as session:
        session.execute(update(BillRun).values(finished_at=None))
        left = update(BillRunCustomer).where(BillRunCustomer.customer_id == company[3])
        session.execute(left.values(outcome=RunOutcome.WAITING))
    deadline = time.monotonic() + WITHIN_SECONDS
    while attempt_of(sessions, run_id) == 1 and time.monotonic() < deadline:
        bill_run.keep_going()
    assert finished(sessions, run_id).done == 5
    assert attempt_of(sessions, run_id) == 2
    assert made(sessions, company)["reports"] == dict.fromkeys(company, 1)


def test_a_run_whose_last_process_died_before_it_said_so_is_finished(sessions, company, jobs):
    run_id = planned(sessions)
    with sessions.begin() as session:
        session.execute(update(BillRunCustomer).values(outcome=RunOutcome.CREATED))
    bill_run.keep_going()
    assert (finished(sessions, run_id).created, attempt_of(sessions, run_id)) == (5, 1)


def test_a_process_killed_in_the_middle_of_a_run_doubles_and_loses_nobody(sessions, company, database_url):
    run_id = planned(sessions, goal=RunGoal.SENT)
    environment = {**os.environ, "BILLING_DATABASE_URL": database_url}

    assert carried_out("tests/jobs/dying.py", environment=environment) == -9
    assert seen(sessions, run_id).done == 2
    assert sum(made(sessions, company)["mails"].values()) == 2

    done = taken_over(sessions, run_id)

    assert (done.created, done.unchanged, done.failed, done.sent) == (5, 0, 0, 5)
    once = dict.fromkeys(company, 1)
    assert made(sessions, company) == {"reports": once, "invoices": once, "mails": once, "links": {}}
    with sessions() as session:
        assert [check.wrong for check in verification.checks(session) if check.wrong] == []


def test_a_process_killed_in_the_middle_of_a_run_over_usage_bills_nobody_twice(sessions, company, database_url):
    with sessions.begin() as session:
        metered_plan(session)
        for customer_id in company:
            uses(session, customer_id, 5)
    run_id = planned(sessions, source=RunSource.USAGE, goal=RunGoal.SENT)

    assert carried_out("tests/jobs/dying.py", environment={**os.environ, "BILLING_DATABASE_URL": database_url}) == -9
    assert (seen(sessions, run_id).done, sum(made(sessions, company)["mails"].values())) == (2, 2)

    done = taken_over(sessions, run_id)

    assert (done.created, done.unchanged, done.failed, done.sent, done.invoiced) == (5, 0, 0, 5, {"USD": 1_000})
    once = dict.fromkeys(company, 1)
    assert made(sessions, company) == {"reports": {}, "invoices": once, "mails": once, "links": {}}
    with sessions() as session:
        assert session.scalars(select(UsagePeriod.customer_id).order_by(UsagePeriod.customer_id)).all() == company


def test_an_ending_process_completes_its_customer_and_lets_go_of_the_rest(sessions, company, monkeypatch):
    monkeypatch.setattr(bill_run_work.current, "process_id", lambda: "worker-1")
    run_id = planned(sessions)
    bill_run_work.work_off(run_id, 1, 0, lambda: seen(sessions, run_id).done == 2)
    assert seen(sessions, run_id).done == 2
    with sessions() as session:
        assert in_hand(session, run_id) == ["worker-1", "worker-1", None, None, None]


def test_work_of_a_former_attempt_stops_by_itself(sessions, company, monkeypatch):
    run_id = planned(sessions)
    with sessions() as session:
        former = taking.terms(session, run_id)
    with sessions.begin() as session:
        assert taking.begin_again(session, run_id, 1, now=LATER)
        assert not taking.begin_again(session, run_id, 1, now=LATER)
    assert not workflow.bill_next(sessions, lambda: None, former, 0, now=LATER)
    monkeypatch.setattr(bill_run_work.current, "process_id", lambda: "worker-1")
    bill_run_work.work_off(run_id, 1, 0)
    assert seen(sessions, run_id).done == 0
    with sessions() as session:
        assert set(in_hand(session, run_id)) == {None}
    bill_run_work.work_off(run_id, 2, 0)
    assert seen(sessions, run_id).done == 5


def begun_again(sessions, run_id) -> bool:
    with sessions.begin() as session:
        return taking.begin_again(session, run_id, taking.terms(session, run_id).attempt, now=LATER)


def test_a_run_that_gets_nobody_done_is_paused_after_some_attempts_and_says_why(sessions, company):
    run_id = planned(sessions)
    for _ in range(taking.MOST_FRUITLESS):
        assert begun_again(sessions, run_id)
    # Whoever was finished in between makes the count start anew.
    with sessions.begin() as session:
        one = update(BillRunCustomer).where(BillRunCustomer.customer_id == company[0])
        session.execute(one.values(outcome=RunOutcome.CREATED, finished_at=NOW))
    for _ in range(taking.MOST_FRUITLESS):
        assert begun_again(sessions, run_id)
    assert seen(sessions, run_id).running
    assert not begun_again(sessions, run_id)
    given_up = seen(sessions, run_id)
    assert given_up.paused_at == LATER
    assert given_up.pause_reason == "It was begun 20 times, and no customer was finished. The log says why"
    assert attempt_of(sessions, run_id) == 1 + 2 * 20

    with sessions.begin() as session:
        planning.resume(session, SYSTEM, run_id, now=LATER)
    assert (seen(sessions, run_id).pause_reason, begun_again(sessions, run_id)) == ("", True)


def test_chunks_that_fail_as_a_whole_are_not_begun_again_for_ever(sessions, company, jobs, monkeypatch):
    monkeypatch.setattr(taking, "MOST_FRUITLESS", 2)
    monkeypatch.setattr(bill_run_work, "work_off", None)
    run_id = planned(sessions)
    deadline = time.monotonic() + WITHIN_SECONDS
    while (run := seen(sessions, run_id)).running and time.monotonic() < deadline:
        bill_run.keep_going()
        time.sleep(0.05)
    assert (run.running, run.done, attempt_of(sessions, run_id)) == (False, 0, 3)
    assert "begun 2 times" in run.pause_reason


def unavailable() -> OperationalError:
    return OperationalError("SELECT 1", {}, Exception("the server closed the connection unexpectedly"))


def test_a_database_that_does_not_answer_is_nobodys_failure(sessions, company, monkeypatch):
    monkeypatch.setattr(bill_run_work, "_WAIT_SECONDS", (0.01,))
    real, refusals = workflow.steps.bill, 2

    def bill(*arguments, **facts):
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise unavailable()
        return real(*arguments, **facts)

    monkeypatch.setattr(workflow.steps, "bill", bill)
    run_id = planned(sessions)
    bill_run_work.run_here(run_id)
    assert (seen(sessions, run_id).created, seen(sessions, run_id).running) == (5, False)


def test_what_the_database_refuses_for_one_customer_alone_is_a_failure_after_some_tries(sessions, company, monkeypatch):
    monkeypatch.setattr(bill_run_work, "_WAIT_SECONDS", (0.01,))
    real = workflow.steps.bill

    def bill(session, terms, taken, **facts):
        if taken.customer_id == company[1]:
            raise unavailable()
        return real(session, terms, taken, **facts)

    monkeypatch.setattr(workflow.steps, "bill", bill)
    run_id = planned(sessions)
    bill_run_work.run_here(run_id)
    (failed,) = rows(sessions, run_id, outcome=RunOutcome.FAILED)
    assert (failed.customer_id, seen(sessions, run_id).created) == (company[1], 4)
    assert failed.reason.startswith("Something went wrong on our side. Reference ")


@pytest.fixture
def held(sessions, jobs):
    """Nothing is taken from the queue until this is called."""
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, Queue.BILL_RUNS, now=NOW)
    pauses.learn({Queue.BILL_RUNS})

    def let_go():
        with sessions.begin() as session:
            pausing.resume(session, SYSTEM, Queue.BILL_RUNS, now=NOW)
        pauses.learn(frozenset())

    yield let_go
    pauses.learn(frozenset())


def handed_out(run_id: int) -> None:
    with SetWorkflowID(f"bill-run-{run_id}.1"):
        bill_run.hand_out_chunks(run_id, 1)


def places(run_id: int) -> dict[str, int]:
    """Where each chunk of the run stands in the queue."""
    waiting = DBOS.list_workflows(workflow_id_prefix=f"bill-run-{run_id}.1-", status="ENQUEUED")
    return {workflow.workflow_id.rpartition("-")[2]: workflow.priority for workflow in waiting}


def test_a_tenth_attempt_is_not_taken_for_the_first(sessions, company, held):
    run_id = planned(sessions)
    queues.enqueue(queues.BILL_RUNS, bill_run.bill_chunk, run_id, 10, 0, workflow_id=f"bill-run-{run_id}.10-chunk-0")
    assert [bill_run._under_way(run_id, attempt) for attempt in (1, 10)] == [False, True]


def test_a_small_run_does_not_wait_for_all_of_a_large_one_that_was_planned_before(sessions, company, held, monkeypatch):
    """After its first chunk each of the large one waits for the small one: in the order of their coming it would wait
    for ever.
    """
    monkeypatch.setattr(planning, "CHUNK", 1)
    with sessions.begin() as session:
        (alone,) = some_customers(session, 1, named="D")
    large, small = planned(sessions, company), planned(sessions, [alone])
    real, small_is_done, order = bill_run_work.work_off, threading.Event(), []

    def work_off(run_id, attempt, chunk, ending):
        if (run_id, chunk) != (large, 0) and run_id != small:
            assert small_is_done.wait(WITHIN_SECONDS)
        real(run_id, attempt, chunk, ending)
        order.append((run_id, chunk))
        if run_id == small:
            small_is_done.set()

    monkeypatch.setattr(bill_run_work, "work_off", work_off)
    handed_out(large)
    bill_run.begin(small)
    held()
    assert (finished(sessions, small).created, finished(sessions, large).created) == (1, 5)
    assert set(order[:2]) == {(large, 0), (small, 0)}


def test_a_run_that_comes_later_takes_turns_with_the_one_under_way_from_where_that_is(
    sessions, company, held, monkeypatch
):
    monkeypatch.setattr(planning, "CHUNK", 2)
    with sessions.begin() as session:
        others = some_customers(session, 4, named="D")
    first, second = planned(sessions, company), planned(sessions, others)
    handed_out(first)
    assert places(first) == {"0": 1, "1": 2, "2": 3}
    DBOS.cancel_workflow(f"bill-run-{first}.1-chunk-0")
    handed_out(second)
    assert places(second) == {"0": 2, "1": 3}
