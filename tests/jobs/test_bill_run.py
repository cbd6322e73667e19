"""Bill runs: planned, worked off, cancelled, resumed, killed."""

import asyncio
import os
import subprocess
import sys
from datetime import date

import pytest
from dbos import DBOS
from sqlalchemy import func, select

from billing_core import runtime
from billing_core.bill_runs import planning, steps
from billing_core.bill_runs import progress as runs_progress
from billing_core.bill_runs.models import BillRun, RunOutcome
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.jobs import bill_run, bill_run_work, engine
from billing_core.reports import verification
from billing_core.reports.models import BillingReport
from tests.reports.company import LATER, MARCH, NOW, a_customer, an_order, billed

pytestmark = pytest.mark.slow


@pytest.fixture
def company(sessions, monkeypatch) -> list[int]:
    """Five customers with an order each in March, and one without."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        ids = [a_customer(session, f"C{n}", name=f"Customer {n}") for n in range(6)]
        for customer_id in ids[:5]:
            an_order(session, customer_id, f"SO-{customer_id}")
    return ids


def planned(sessions, customer_ids=None, actor=SYSTEM, **options) -> int:
    with sessions.begin() as session:
        return planning.plan(session, actor, customer_ids=customer_ids, period=MARCH, now=NOW, **options)


def progress(sessions, run_id, actor=SYSTEM):
    with sessions() as session:
        return runs_progress.progress(session, actor, run_id, now=NOW)


def reports_per_customer(sessions) -> dict[int, int]:
    with sessions() as session:
        rows = session.execute(select(BillingReport.customer_id, func.count()).group_by(BillingReport.customer_id))
        return {row[0]: row[1] for row in rows}


def finished(run_id, attempt=1) -> None:
    DBOS.retrieve_workflow(f"report-run-{run_id}-{attempt}").get_result()


def test_a_run_over_everybody_bills_those_who_have_orders(sessions, company):
    run_id = planned(sessions)
    bill_run_work.run_here(run_id)

    done = progress(sessions, run_id)

    assert (done.total, done.created, done.failed, done.waiting, done.running) == (5, 5, 0, 0, False)
    assert reports_per_customer(sessions) == dict.fromkeys(company[:5], 1)


def test_a_second_run_finds_nothing_changed(sessions, company):
    for expected in ((5, 0), (0, 5)):
        run_id = planned(sessions)
        bill_run_work.run_here(run_id)
        done = progress(sessions, run_id)
        assert (done.created, done.unchanged) == expected


def test_a_run_over_some_customers_takes_them_as_they_are(sessions, company):
    run_id = planned(sessions, [company[0], company[5]])
    bill_run_work.run_here(run_id)
    assert reports_per_customer(sessions) == {company[0]: 1, company[5]: 1}


def test_an_order_that_is_gone_brings_its_customer_back_into_the_run(sessions, company):
    with sessions.begin() as session:
        billed(session, company[5])
    assert progress(sessions, planned(sessions)).total == 6


def test_a_failure_names_its_reason_and_the_others_are_billed(sessions, company, monkeypatch):
    def generate(session, actor, *, customer_id, **facts):
        if customer_id == company[1]:
            raise Conflict("The rate card says two things at once")
        if customer_id == company[2]:
            raise RuntimeError("a secret detail")
        return real(session, actor, customer_id=customer_id, **facts)

    real = steps.service.generate
    monkeypatch.setattr(steps.service, "generate", generate)
    run_id = planned(sessions)
    bill_run_work.run_here(run_id)

    with sessions() as session:
        failed = runs_progress.items(session, SYSTEM, run_id, outcome=RunOutcome.FAILED)
    assert (progress(sessions, run_id).created, len(failed)) == (3, 2)
    assert failed[0].reason == "The rate card says two things at once"
    assert failed[1].reason.startswith("Something went wrong on our side. Reference ")

    monkeypatch.setattr(steps.service, "generate", real)
    with sessions.begin() as session:
        planning.retry_failed(session, SYSTEM, run_id, now=LATER)
    bill_run_work.run_here(run_id)
    assert (progress(sessions, run_id).created, progress(sessions, run_id).failed) == (5, 0)


def test_a_cancelled_run_stops_and_can_be_resumed(sessions, company):
    run_id = planned(sessions)
    assert bill_run_work.bill_next(run_id)
    with sessions.begin() as session:
        planning.cancel(session, SYSTEM, run_id, now=NOW)
    assert not bill_run_work.bill_next(run_id)
    assert (progress(sessions, run_id).done, progress(sessions, run_id).running) == (1, False)
    with pytest.raises(Conflict), sessions.begin() as session:
        planning.cancel(session, SYSTEM, run_id, now=NOW)

    with sessions.begin() as session:
        planning.resume(session, SYSTEM, run_id, now=LATER)
    bill_run_work.run_here(run_id)

    assert (progress(sessions, run_id).created, progress(sessions, run_id).running) == (5, False)
    with pytest.raises(Conflict), sessions.begin() as session:
        planning.resume(session, SYSTEM, run_id, now=LATER)


def test_refusals(sessions, company):
    with pytest.raises(Invalid, match="Customer with ID 999 not found"):
        planned(sessions, [company[0], 999])
    with pytest.raises(Invalid, match="Customer with ID 1000000 not found"):
        planned(sessions, [*range(1_000_000, 1_070_000)])  # more than a driver takes as parameters
    with pytest.raises(Forbidden):
        planned(sessions, actor=actor_with(Role.FINANCE, user_id=1, name="Fin"))
    empty = Period(date(2020, 1, 1), date(2020, 1, 31))
    with pytest.raises(Invalid, match="No customer has orders"), sessions.begin() as session:
        planning.plan(session, SYSTEM, customer_ids=None, period=empty, now=NOW)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(BillRun)) == 0


def test_somebody_bound_to_one_customer_runs_and_sees_that_one_alone(sessions, company):
    bound = actor_with(Role.MANAGER, user_id=5, name="Mia", customer_id=company[1])
    everybody = planned(sessions, company[2:])
    mine = planned(sessions, actor=bound)
    bill_run_work.run_here(mine)

    assert reports_per_customer(sessions) == {company[1]: 1}
    assert progress(sessions, mine, bound).total == 1
    with pytest.raises(NotFound):
        progress(sessions, everybody, bound)
    with pytest.raises(NotFound), sessions.begin() as session:
        planning.cancel(session, bound, everybody, now=NOW)


def test_a_run_goes_on_in_the_background(sessions, company):
    engine.start()
    try:
        run_id = planned(sessions)
        bill_run.begin(run_id)
        bill_run.begin(run_id)
        finished(run_id)
    finally:
        engine.stop()

    assert progress(sessions, run_id).created == 5
    assert reports_per_customer(sessions) == dict.fromkeys(company[:5], 1)


def test_a_run_that_was_never_begun_is_found_at_the_next_start(sessions, company):
    run_id = planned(sessions)
    bill_run.begin(run_id)  # no jobs in this process: nothing happens
    assert progress(sessions, run_id).done == 0

    async def process():
        async with engine.lifespan(render=lambda *_: None, serialise=lambda _: b"{}"):
            await asyncio.to_thread(finished, run_id)

    asyncio.run(process())
    assert progress(sessions, run_id).created == 5


def test_a_process_killed_in_the_middle_of_a_run_doubles_and_loses_nobody(sessions, company, database_url):
    run_id = planned(sessions)
    environment = {**os.environ, "BILLING_DATABASE_URL": database_url, "PYTHONPATH": os.getcwd()}
    died = subprocess.run([sys.executable, "tests/jobs/dying.py"], env=environment, timeout=300, check=False)

    assert died.returncode == -9
    assert progress(sessions, run_id).done == 2
    assert reports_per_customer(sessions) == dict.fromkeys(company[:2], 1)

    engine.start()
    try:
        finished(run_id)
    finally:
        engine.stop()

    done = progress(sessions, run_id)
    assert (done.created, done.unchanged, done.failed, done.running) == (5, 0, 0, False)
    assert reports_per_customer(sessions) == dict.fromkeys(company[:5], 1)
    with sessions() as session:
        assert [check.wrong for check in verification.verify(session) if check.wrong] == []
