"""Bill runs on the page of reports: watched, paused, stopped, gone on with, and what came of them."""

from datetime import timedelta

import pytest

from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRun, RunGoal, RunOutcome
from billing_core.identity import SYSTEM
from billing_core.invoices.from_reports import draft_from_report
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from tests.pages.bill_runs.reading import confirm, figures, keys, said, stored, watching
from tests.pages.bill_runs.states import GENERATE_MARCH, a_process, changed, finish, noted, planned, taken_up, waiting
from tests.pages.filled import HOSTILE
from tests.pages.pressing import press
from tests.pages.roles import EVERY_ROLE
from tests.reports.company import NOW

pytestmark = pytest.mark.slow


@EVERY_ROLE
def test_everybody_who_reads_reports_sees_the_recent_runs_and_opens_one(page_as, sessions, company, role):
    run_id = planned(sessions, goal=RunGoal.SENT, with_links=True)
    page = page_as(role).visit("reports.py", **GENERATE_MARCH)
    row = page.dataframe[0].value.iloc[0]
    assert (row["Period"], row["What"], row["State"], row["By"]) == (
        "March 2026",
        "Invoices by mail with links",
        "Waiting for a process, 0 of 2",
        "system",
    )

    page = press(page, "Run", row=0)
    assert not page.exception
    assert page.subheader[0].value == "Invoices by mail with payment links for March 2026"
    assert page.query_params["run"] == str(run_id)
    assert ("stop_run" in keys(page)) == (role == "admin"), "a run that sends is changed by who may send"


@pytest.mark.parametrize("named", ["999", "x", "1e3"])
def test_a_run_that_is_not_there(page_as, company, named):
    page = page_as("finance").visit("reports.py", tab="Generate", run=named)
    assert not page.exception
    assert "There is no" in page.error[0].value


def test_a_run_in_progress_shows_rate_time_left_hands_and_amounts(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.acme, RunOutcome.CREATED, total_minor=800, currency="USD", question_count=3)
    taken_up(sessions, run_id, a_process(sessions))
    page = watching(page_as("manager"), run_id)

    (bar,) = page.get("progress")
    assert bar.proto.value == 50
    assert bar.proto.text.startswith("1 of 2 customers · ")
    assert " a minute · about " in bar.proto.text
    assert "1 process works on it" in said(page)
    assert figures(page) == {
        "New reports": "1",
        "Unchanged": "0",
        "Failed": "0",
        "Questions": "3",
        "Billed, USD": "8.00",
    }
    assert {"pause_run", "stop_run"} <= keys(page)
    assert not {"resume_run", "retry_run"} & keys(page)


def test_no_time_is_promised_where_nobody_works(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.acme, RunOutcome.CREATED)
    taken_up(sessions, run_id, a_process(sessions, heard_ago=timedelta(minutes=2)))
    page = watching(page_as("manager"), run_id)

    assert page.get("progress")[0].proto.text == "1 of 2 customers"
    assert "No process is working on this run. It goes on as soon as one runs." in said(page)


def test_a_run_that_waits_for_a_living_process_says_so(page_as, sessions, company):
    run_id = planned(sessions)
    a_process(sessions)
    assert "No process is working on this run yet." in said(watching(page_as("manager"), run_id))


def test_a_run_that_waits_because_all_are_paused_says_so(page_as, sessions, company):
    run_id = planned(sessions)
    a_process(sessions)
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, Queue.BILL_RUNS, now=NOW)
    assert "Bill runs are paused for everybody." in said(watching(page_as("manager"), run_id))


def test_drafts_and_sent_invoices_are_counted(page_as, sessions, company):
    for goal, counted in (
        (RunGoal.DRAFTS, ["New reports", "Unchanged", "Drafts", "No invoice", "Failed", "Questions"]),
        (RunGoal.SENT, ["New reports", "Unchanged", "Invoices", "Sent", "No invoice", "Failed", "Questions"]),
    ):
        run_id = planned(sessions, goal=goal)
        page = watching(page_as("finance"), run_id)
        assert list(figures(page)) == counted
        changed(sessions, run_id, planning.cancel)


def test_a_run_is_paused_and_resumed(page_as, sessions, company, begun):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    page = watching(page_as("manager"), run_id)
    page.button(key="pause_run").click().run()
    assert stored(sessions, run_id).paused_at is not None
    assert page.info[0].value.startswith("Paused since ")
    assert not {"pause_run", "retry_run"} & keys(page)

    page.button(key="resume_run").click().run()
    assert stored(sessions, run_id).paused_at is None
    assert begun == [run_id]
    assert "pause_run" in keys(page)


def test_a_run_that_no_person_paused_says_why(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    with sessions.begin() as session:
        run = session.get_one(BillRun, run_id)
        run.paused_at, run.pause_reason = NOW, "It was begun 20 times, and no customer was finished"
    page = watching(page_as("manager"), run_id)
    assert "It was begun 20 times, and no customer was finished. No further customer" in page.warning[0].value
    assert "resume_run" in keys(page)


def test_a_run_is_stopped_once_that_is_confirmed_and_can_go_on(page_as, sessions, company, begun):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.acme, RunOutcome.CREATED)
    page = watching(page_as("manager"), run_id)
    page.button(key="stop_run").click().run()
    assert "**1 customer** is left out. The reports made so far stay." in said(page)
    assert stored(sessions, run_id).cancelled_at is None, "only asked so far"

    confirm(page, "stop_run", "confirm_stop")
    assert stored(sessions, run_id).cancelled_at is not None
    assert "1 customer left out." in page.warning[0].value

    page.button(key="resume_run").click().run()
    assert stored(sessions, run_id).cancelled_at is None
    assert begun == [run_id]


def test_going_on_is_refused_where_another_run_does_the_rest_by_now(page_as, sessions, company, begun):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    changed(sessions, run_id, planning.cancel)
    other = planned(sessions, goal=RunGoal.REPORTS)
    page = watching(page_as("manager"), run_id)
    page.button(key="resume_run").click().run()

    assert not page.exception
    assert f"Run {other} bills some of these customers" in page.error[0].value
    assert page.button(key="open_other_run").label == f"Open run {other}"
    assert begun == []


def test_what_somebody_else_changed_meanwhile_is_refused_in_words(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    page = watching(page_as("manager"), run_id)
    changed(sessions, run_id, planning.pause)
    page.button(key="pause_run").click().run()

    assert not page.exception
    assert "resume_run" in keys(page), "the page shows the run as it is by then"


def test_failures_are_listed_with_their_reasons_and_retried(page_as, sessions, company, begun):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    facts = {"report_id": company.bolts_march, "total_minor": 700, "currency": "EUR", "question_count": 0}
    noted(sessions, run_id, company.bolt, RunOutcome.UNCHANGED, **facts)
    noted(sessions, run_id, company.acme, RunOutcome.FAILED, reason="The rate card says two things at once")
    finish(sessions, run_id)
    page = watching(page_as("manager"), run_id)

    assert "Done, except for 1 customer who failed" in page.warning[0].value
    columns = ["Customer", "Outcome", "Reason"]
    shown = page.dataframe[0].value[columns].values.tolist()
    assert [[customer, list(outcome), reason] for customer, outcome, reason in shown] == [
        [HOSTILE, ["Failed"], "The rate card says two things at once"],
        ["Bolt GmbH", ["Unchanged"], ""],
    ]
    page = watching(page_as("manager"), run_id, run_outcome="Failed")
    assert list(page.dataframe[0].value["Customer"]) == [HOSTILE]

    page.button(key="retry_run").click().run()
    assert begun == [run_id]
    assert waiting(sessions, run_id) == {company.acme}


def test_a_paused_or_stopped_run_offers_the_rest_before_what_failed(page_as, sessions, company):
    for verb in (planning.pause, planning.cancel):
        run_id = planned(sessions, goal=RunGoal.REPORTS)
        noted(sessions, run_id, company.acme, RunOutcome.FAILED, reason="No rate")
        changed(sessions, run_id, verb)
        shown = keys(watching(page_as("manager"), run_id))
        assert ("resume_run" in shown, "retry_run" in shown) == (True, False)
        if verb is planning.pause:
            changed(sessions, run_id, planning.cancel)


def test_a_customers_report_opens_from_the_run(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.bolt, RunOutcome.UNCHANGED, report_id=company.bolts_march)
    page = watching(page_as("finance"), run_id)
    page = press(page, "Report", row=1)

    assert not page.exception
    assert page.query_params["report"] == str(company.bolts_march)


def test_a_run_that_ended_says_so_and_offers_nothing_more(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    for customer_id in (company.acme, company.bolt):
        noted(sessions, run_id, customer_id, RunOutcome.UNCHANGED)
    finish(sessions, run_id)
    page = watching(page_as("manager"), run_id)

    assert page.success[0].value == "Done: 2 of 2 customers."
    assert not {"pause_run", "stop_run", "resume_run", "retry_run"} & keys(page)


def test_after_a_run_of_drafts_they_are_reviewed(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.DRAFTS)
    with sessions.begin() as session:
        draft = draft_from_report(session, SYSTEM, company.bolts_march, now=NOW, today=NOW.date())
        draft_id = draft.id
    noted(sessions, run_id, company.acme, RunOutcome.UNCHANGED)
    noted(sessions, run_id, company.bolt, RunOutcome.UNCHANGED, report_id=company.bolts_march, invoice_id=draft_id)
    finish(sessions, run_id)
    page = watching(page_as("admin"), run_id)
    assert figures(page) | {"Drafts": "1", "No invoice": "1", "Invoiced, EUR": "7.00"} == figures(page)
    assert "1 customer got no invoice from this run" in said(page)

    page.button(key="review_drafts").click().run()
    assert not page.exception
    assert page.query_params["invoices_tab"] == "draft"
