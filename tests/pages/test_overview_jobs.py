"""Work in the background that needs a hand, on the overview."""

import pytest
from sqlalchemy import select

from billing_core import figures
from billing_core.bill_runs.figures import FAILED_IN_RUNS, PAUSED_RUNS
from billing_core.bill_runs.models import RunOutcome
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.imports.models import FileState
from billing_core.imports.queries import FAILED_IMPORTS
from billing_core.processes import pausing, schedule_outcomes, service
from billing_core.processes.figures import FAILED_SCHEDULES, LOST_PROCESSES, PAUSED_QUEUES
from billing_core.processes.models import Process, Queue
from tests.jobs.overview.work import NOW, a_living_process, a_lost_process, a_run, an_import, customers, of_run


@pytest.fixture
def failures(sessions) -> None:
    with sessions.begin() as session:
        a_living_process(session, "alive")
        a_lost_process(session, "dead")
        run_id = a_run(session, finished_at=NOW)
        of_run(session, run_id, customers(session, 2), RunOutcome.FAILED, finished_at=NOW, reason="No rate")
        of_run(session, run_id, customers(session, 3), RunOutcome.CREATED, finished_at=NOW)
        another = a_run(session, finished_at=NOW, services="1")
        of_run(session, another, customers(session, 1), RunOutcome.FAILED, finished_at=NOW, reason="No rate")
        a_run(session, paused_at=NOW, pause_reason="It was begun 20 times")
        a_run(session, paused_at=NOW)
        a_run(session, cancelled_at=NOW, paused_at=NOW, pause_reason="It was begun 20 times")
        an_import(session, finished_at=NOW, reason="The disk is full", state=FileState.REFUSED)
        pausing.pause(session, SYSTEM, Queue.MAILS, now=NOW)
        schedule_outcomes.failed(session, Queue.REMINDERS, "No time zone", now=NOW)


def test_failed_work_and_lost_processes_need_attention(page_as, failures):
    page = page_as("admin").visit()
    assert not page.exception
    said = " ".join(text.value for text in page.markdown)
    assert "3 customers whom a bill run failed with" in said
    assert "1 bill run paused, by no person" in said
    assert "1 import failed, through no fault of the files" in said
    assert "1 process lost" in said
    assert "1 kind of background work paused" in said
    assert "1 kind of scheduled work failed the last time" in said
    page.button(key="settle_lost_processes").click().run()
    assert page.title[0].value == "Jobs"


@pytest.mark.parametrize("role", ["manager", "finance"])
def test_what_only_admins_can_settle_is_not_shown_to_others(page_as, failures, role):
    page = page_as(role).visit()
    said = " ".join(text.value for text in page.markdown)
    assert "3 customers whom a bill run failed with" in said
    assert "lost" not in said
    assert "import failed" not in said
    assert "background work paused" not in said
    assert "scheduled work" not in said


def test_the_outbox_says_that_mails_are_paused(page_as, failures):
    page = page_as("finance").visit("admin/outbox.py")
    assert "Mails are paused" in page.warning[0].value


SHOWN = (FAILED_IN_RUNS, PAUSED_RUNS, FAILED_IMPORTS, FAILED_SCHEDULES, LOST_PROCESSES, PAUSED_QUEUES)


@pytest.mark.parametrize("figure", SHOWN, ids=lambda figure: figure.key)
def test_each_figure_is_the_sum_of_its_rows(page_as, failures, figure):
    page = page_as("admin").visit()
    page.button(key=f"attention_{figure.key}").click().run()
    assert not page.exception
    assert "= the figure" in page.success[0].value


def test_rows_say_what_failed(sessions, failures):
    with sessions() as session:
        runs = figures.page(session, SYSTEM, FAILED_IN_RUNS, Scope())
        (failed_import,) = figures.page(session, SYSTEM, FAILED_IMPORTS, Scope())
        (lost,) = figures.page(session, SYSTEM, LOST_PROCESSES, Scope())
        (schedule,) = figures.page(session, SYSTEM, FAILED_SCHEDULES, Scope())
        lost_on = session.scalars(select(Process.lost_at).where(Process.id == "dead")).one().date()
    assert [(row.label, row.date, row.amount) for row in runs] == [
        ("Bill run from 2026-03-01 to 2026-03-31", NOW.date(), 1),
        ("Bill run from 2026-03-01 to 2026-03-31", NOW.date(), 2),
    ]
    assert (schedule.label, schedule.date, schedule.amount) == ("reminders: No time zone", NOW.date(), 1)
    assert failed_import.label == "Ada: The disk is full"
    assert (lost.label, lost.date, lost.amount) == ("billing-1, process 17", lost_on, 1)


def test_a_dismissed_process_needs_no_attention_any_more(sessions, failures):
    with sessions.begin() as session:
        service.dismiss(session, SYSTEM, "dead", now=NOW)
    with sessions() as session:
        assert figures.count(session, SYSTEM, LOST_PROCESSES, Scope()) == 0


def test_who_is_bound_to_a_customer_hears_of_the_runs_of_such_people_alone(sessions):
    with sessions.begin() as session:
        [one, other] = customers(session, 2)
        for customer_id, bound_to in ((one, one), (other, None)):
            run_id = a_run(session, finished_at=NOW, bound_to=bound_to, services=str(customer_id))
            of_run(session, run_id, [customer_id], RunOutcome.FAILED, finished_at=NOW, reason="No rate")
    with sessions() as session:
        assert figures.count(session, SYSTEM, FAILED_IN_RUNS, Scope()) == 2
        assert figures.count(session, SYSTEM, FAILED_IN_RUNS, Scope(customer_id=one)) == 1
        assert figures.count(session, SYSTEM, FAILED_IN_RUNS, Scope(customer_id=other)) == 0
