"""``report run``: the same run as the dashboard's, worked on by the command."""

import json
import os
import re
import signal
import time

import pytest
from sqlalchemy import func, select

from billing_core import runtime
from billing_core.__main__ import main
from billing_core.bill_runs import planning, taking
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal
from billing_core.commands import bill_runs
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.processes import pausing
from billing_core.processes import service as processes
from billing_core.processes.models import Process, ProcessKind, Queue
from tests.bill_runs.company import in_hand, made, planned, seen, some_customers, worked_off
from tests.bill_runs.test_rehearsal import FEBRUARY, IN_FEBRUARY
from tests.forked import PATIENCE_SECONDS, start
from tests.reports.company import LATER, NOW, a_customer, an_order, billed

MARCH = ["--from", "2026-03-01", "--to", "2026-03-31"]
RUN = ["--json", "report", "run", *MARCH]


@pytest.fixture
def company(sessions, monkeypatch) -> list[int]:
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        return some_customers(session, 12)


def said(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def test_it_sends_the_invoices_of_the_named_customers(company, sessions, capsys):
    typed = [*RUN, "--customer", "C0", "--customer", str(company[1]), "--goal", "sent", "--tax-rate", "25"]
    assert main(typed) == 0
    assert made(sessions, company)["mails"] == {company[0]: 1, company[1]: 1}
    answer = said(capsys)
    assert (answer["drafts"], answer["sent"], answer["invoiced_minor"], answer["failed"]) == (2, 2, {"USD": 1000}, [])


def test_links_come_from_the_configured_gateway(company, sessions, capsys):
    assert main([*RUN, "--customer", "C0", "--goal", "sent", "--links"]) == 0
    assert made(sessions, company)["links"] == {company[0]: 1}


def test_a_failure_is_exit_1(company, sessions, capsys, monkeypatch):
    monkeypatch.setattr("billing_core.bill_runs.from_orders.service.generate", None)
    assert main([*RUN, "--customer", "C0"]) == 1
    assert said(capsys)["failed"][0]["customer_id"] == company[0]


def test_the_same_unfinished_run_is_joined_and_another_one_refused(company, sessions, capsys):
    run_id = planned(sessions)
    assert main([*RUN, "--goal", "drafts"]) == 1
    assert f"Run {run_id} bills some of these customers" in capsys.readouterr().err
    assert main(["report", "run", *MARCH]) == 0
    told = capsys.readouterr()
    assert f"Run {run_id} is the same and not finished: joining it" in told.err
    assert told.out.startswith("12 customers: 12 new reports")
    chosen = planned(sessions, company[:2], goal=RunGoal.DRAFTS)
    named = ["--customer", "C0", "--customer", "C1", "--goal", "drafts"]
    assert main([*RUN, *named, "--customer", "C2"]) == 1
    assert main([*RUN, *named]) == 0
    assert said(capsys)["run"] == chosen


def test_it_leaves_to_others_what_they_have_in_hand_and_waits_for_them(company, sessions, capsys, monkeypatch):
    """Another process has the last chunk of two, and works it off while the command waits."""
    run_id = planned(sessions)
    with sessions.begin() as session:
        processes.register(session, "worker-1", ProcessKind.WORKER, host="h", pid=1, version="1")
        taking.take_up(session, taking.terms(session, run_id), 1, "worker-1")
    waited = []

    def others_work(_seconds):
        waited.append(seen(sessions, run_id))
        worked_off(sessions, run_id)

    monkeypatch.setattr(bill_runs.time, "sleep", others_work)
    assert main(RUN) == 0
    assert [(then.done, then.worked_on) for then in waited] == [(10, 1)]
    assert said(capsys)["created"] == 12


def test_while_it_works_it_is_a_process_that_lives(company, sessions, capsys, monkeypatch):
    kinds, hands = [], []
    real = bill_runs.bill_run_work.workflow.bill_next

    def bill_next(*arguments, **facts):
        with sessions() as session:
            kinds.append(session.scalars(select(Process.kind).where(Process.ended_at.is_(None))).all())
            hands.append(set(in_hand(session, 1)))
        return real(*arguments, **facts)

    monkeypatch.setattr(bill_runs.bill_run_work.workflow, "bill_next", bill_next)
    assert main([*RUN, "--customer", "C0"]) == 0
    assert kinds[0] == [ProcessKind.COMMAND]
    with sessions() as session:
        assert hands[0] == set(session.scalars(select(Process.id)))
        assert session.scalar(select(func.count()).where(Process.ended_at.is_(None))) == 0


def test_it_ends_when_somebody_pauses_the_run(company, sessions, capsys, monkeypatch):
    real = bill_runs.bill_run_work.help_with

    def help_and_pause(run_id, ending):
        real(run_id, ending)
        with sessions.begin() as session:
            planning.pause(session, SYSTEM, run_id, now=LATER)

    monkeypatch.setattr(bill_runs.bill_run_work, "help_with", help_and_pause)
    assert main(["report", "run", *MARCH]) == 1
    assert "10 not done: run 1 was paused or stopped" in capsys.readouterr().out


def test_it_refuses_while_bill_runs_are_paused(company, sessions, capsys):
    with sessions.begin() as session:
        pausing.pause(session, SYSTEM, Queue.BILL_RUNS, now=NOW)
    assert main(RUN) == 1
    assert "Bill runs are paused" in capsys.readouterr().err
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(BillRun)) == 0


def test_it_tells_how_far_it_is_but_not_beside_json(company, sessions, capsys, monkeypatch):
    monkeypatch.setattr(bill_runs, "_TELL_SECONDS", 0.01)
    assert main(["report", "run", *MARCH]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert all(re.match(r"\d+ of 12 customers", line) for line in lines)
    assert lines
    assert main(RUN) == 0
    assert capsys.readouterr().err == ""


def test_a_rehearsal_tells_what_would_change_and_makes_nothing(company, sessions, capsys):
    with sessions.begin() as session:
        an_order(session, company[0], "SO-FEB", items=8, on=IN_FEBRUARY)
        billed(session, company[0], FEBRUARY)
        gone = a_customer(session, "GONE", name="Gone")
        an_order(session, gone, "SO-GONE", on=IN_FEBRUARY)
        billed(session, gone, FEBRUARY)
    assert main([*RUN, "--goal", "rehearsal"]) == 0
    changes = {change["customer_id"]: change for change in said(capsys)["changes"]}
    assert (changes[company[0]]["change"], changes[company[0]]["difference_minor"]) == ("less", -200)
    assert (changes[gone]["change"], changes[gone]["difference_minor"]) == ("missing", -400)
    assert (changes[company[1]]["change"], changes[company[1]]["total_minor"]) == ("new", 400)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Invoice)) == 0
    assert made(sessions, company)["reports"] == {company[0]: 1}
    main(["report", "run", *MARCH, "--goal", "rehearsal"])
    assert "  Customer C0: less, 6.00 USD before, 4.00 USD now\n" in capsys.readouterr().out


@pytest.mark.parametrize("told_by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("times", "done"), [(1, 1), (2, 0)])
def test_told_to_end_it_finishes_the_customer_in_hand_unless_told_again(
    company, sessions, monkeypatch, capsys, told_by, times, done
):
    take, former = taking.take, signal.signal(signal.SIGINT, signal.default_int_handler)

    def take_and_be_told(*arguments):
        for _ in range(times):
            signal.raise_signal(told_by)
        return take(*arguments)

    monkeypatch.setattr(taking, "take", take_and_be_told)
    try:
        assert main(RUN) == 130
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, former)
    assert seen(sessions, 1).done == done
    with sessions() as session:
        assert session.scalar(select(func.count()).where(Process.ended_at.is_(None))) == 0


@pytest.mark.slow
@pytest.mark.parametrize("told_by", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_the_rest_to_the_next_call(company, sessions, database_url, tmp_path, capsys, told_by):
    with sessions.begin() as session:
        some_customers(session, 40, named="MANY")
    environment = {**os.environ, "BILLING_DATABASE_URL": database_url}
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as told, err.open("wb") as warned:
        command = ["-m", "billing_core", "report", "run", *MARCH, "--goal", "sent"]
        process = start(*command, environment=environment, stdout=told.fileno(), stderr=warned.fileno())
    deadline = time.monotonic() + PATIENCE_SECONDS
    done = 0
    while not done and time.monotonic() < deadline and process.is_alive():
        with sessions() as session:
            done = session.scalar(select(func.count()).where(BillRunCustomer.finished_at.is_not(None)))
        time.sleep(0.02)
    os.kill(process.pid, told_by)
    process.join(PATIENCE_SECONDS)

    assert (process.exitcode, out.read_text()) == (130, "")
    assert "Run 1 goes on where jobs run; the same command works on it again." in err.read_text()
    assert 0 < seen(sessions, 1).done < 52
    with sessions() as session:
        assert session.scalar(select(func.count()).where(Process.ended_at.is_(None))) == 0, "it said goodbye"
    assert main([*RUN, "--goal", "sent"]) == 0
    answer = said(capsys)
    assert (answer["run"], answer["created"], answer["sent"]) == (1, 52, 52)
    assert set(made(sessions, list(range(1, 100)))["mails"].values()) == {1}
