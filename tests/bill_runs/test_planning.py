"""Planning a run, pausing, stopping and resuming it: who may, whom it bills, and what it refuses."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select, update

from billing_core.audit.models import AuditEntry
from billing_core.bill_runs import from_orders, planning
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome
from billing_core.dates import Period
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from tests.bill_runs.company import made, planned, rows, seen, some_customers, worked_off
from tests.reports.company import LATER, MARCH, NOW, a_customer, billed

MIA = actor_with(Role.MANAGER, user_id=5, name="Mia")


@pytest.fixture
def company(sessions) -> list[int]:
    """Five customers with an order each in March, and one without."""
    with sessions.begin() as session:
        return [*some_customers(session, 5), a_customer(session, "IDLE", name="Idle")]


def changed(sessions, verb, run_id, actor=SYSTEM) -> None:
    with sessions.begin() as session:
        verb(session, actor, run_id, now=LATER)


def fail(sessions, run_id, customer_ids) -> None:
    failed = {"outcome": RunOutcome.FAILED, "reason": "No rate", "finished_at": NOW}
    these = (BillRunCustomer.run_id == run_id) & BillRunCustomer.customer_id.in_(customer_ids)
    with sessions.begin() as session:
        session.execute(update(BillRunCustomer).where(these).values(failed))


def test_a_run_over_everybody_bills_those_who_have_orders(sessions, company):
    done = worked_off(sessions, planned(sessions))
    assert (done.total, done.created, done.failed, done.waiting, done.running) == (5, 5, 0, 0, False)
    assert made(sessions, company)["reports"] == dict.fromkeys(company[:5], 1)


def test_a_second_run_finds_nothing_changed(sessions, company):
    for expected in ((5, 0), (0, 5)):
        done = worked_off(sessions, planned(sessions))
        assert (done.created, done.unchanged) == expected


def test_a_run_over_some_customers_takes_them_as_they_are(sessions, company):
    worked_off(sessions, planned(sessions, [company[0], company[5]]))
    assert made(sessions, company)["reports"] == {company[0]: 1, company[5]: 1}


def test_an_order_that_is_gone_brings_its_customer_back_into_the_run(sessions, company):
    with sessions.begin() as session:
        billed(session, company[5])
    assert seen(sessions, planned(sessions)).total == 6


def test_customers_are_worked_on_in_chunks_of_ten(sessions):
    with sessions.begin() as session:
        some_customers(session, 23)
    planned(sessions)
    with sessions() as session:
        chunks = session.execute(
            select(BillRunCustomer.chunk, func.count()).group_by(BillRunCustomer.chunk).order_by(BillRunCustomer.chunk)
        )
        assert [tuple(row) for row in chunks] == [(0, 10), (1, 10), (2, 3)]


def test_refusals(sessions, company):
    with pytest.raises(Invalid, match="Customer with ID 999 not found"):
        planned(sessions, [company[0], 999])
    with pytest.raises(Invalid, match="Customer with ID 1000000 not found"):
        planned(sessions, [*range(1_000_000, 1_070_000)])  # more than a driver takes as parameters
    with pytest.raises(Invalid, match="The tax rate must lie between 0 and 100 percent"):
        planned(sessions, goal=RunGoal.DRAFTS, tax_rate=Decimal(101))
    with pytest.raises(Invalid, match="Payment links go with invoices that are sent"):
        planned(sessions, goal=RunGoal.DRAFTS, with_links=True)
    empty = Period(date(2020, 1, 1), date(2020, 1, 31))
    with pytest.raises(Invalid, match="No customer has orders"), sessions.begin() as session:
        planning.plan(session, SYSTEM, customer_ids=None, period=empty, now=NOW)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(BillRun)) == 0


@pytest.mark.parametrize(
    ("goal", "with_links", "needed"),
    [
        (RunGoal.REHEARSAL, False, set()),
        (RunGoal.REPORTS, False, set()),
        (RunGoal.DRAFTS, False, {Permission.INVOICE_WRITE}),
        (RunGoal.SENT, False, {Permission.INVOICE_WRITE, Permission.INVOICE_SEND}),
        (RunGoal.SENT, True, {Permission.INVOICE_WRITE, Permission.INVOICE_SEND, Permission.LINK_WRITE}),
    ],
)
def test_each_goal_needs_what_doing_it_by_hand_needs(sessions, company, goal, with_links, needed):
    needed = {Permission.REPORT_GENERATE, *needed}
    for missing in needed:
        with pytest.raises(Forbidden, match=missing.value):
            planned(sessions, actor=Actor(5, "Mia", frozenset(needed - {missing})), goal=goal, with_links=with_links)
    run_id = planned(sessions, actor=Actor(5, "Mia", frozenset(needed)), goal=goal, with_links=with_links)
    assert worked_off(sessions, run_id).failed == 0


def test_whoever_may_not_start_it_may_not_change_it_either(sessions, company):
    run_id = planned(sessions, goal=RunGoal.SENT)
    for verb in (planning.pause, planning.resume, planning.cancel, planning.retry_failed):
        with pytest.raises(Forbidden):
            changed(sessions, verb, run_id, MIA)


def test_a_paused_run_stops_and_goes_on_with_the_rest(sessions, company):
    run_id = planned(sessions)
    changed(sessions, planning.pause, run_id)
    paused = worked_off(sessions, run_id)
    assert (paused.done, paused.paused_at, paused.running, paused.seconds_left) == (0, LATER, False, None)
    with pytest.raises(Conflict, match="paused already"):
        changed(sessions, planning.pause, run_id)

    changed(sessions, planning.resume, run_id)
    assert worked_off(sessions, run_id).created == 5
    for verb in (planning.pause, planning.cancel):
        with pytest.raises(Conflict, match="has ended already"):
            changed(sessions, verb, run_id)


def test_a_stopped_run_stays_stopped_until_it_is_resumed(sessions, company):
    run_id = planned(sessions)
    changed(sessions, planning.cancel, run_id)
    assert (worked_off(sessions, run_id).done, seen(sessions, run_id).running) == (0, False)
    with pytest.raises(Conflict, match="has ended already"):
        changed(sessions, planning.cancel, run_id)

    changed(sessions, planning.resume, run_id)
    with pytest.raises(Conflict, match="still in progress"):
        changed(sessions, planning.resume, run_id)
    assert worked_off(sessions, run_id).created == 5
    with pytest.raises(Conflict, match="is finished"):
        changed(sessions, planning.resume, run_id)


def test_a_failure_names_its_reason_and_the_others_are_billed_until_it_is_retried(sessions, company, monkeypatch):
    def generate(session, actor, *, customer_id, **facts):
        if customer_id == company[1]:
            raise Conflict("The rate card says two things at once")
        if customer_id == company[2]:
            raise RuntimeError("a secret detail")
        return real(session, actor, customer_id=customer_id, **facts)

    real = from_orders.service.generate
    monkeypatch.setattr(from_orders.service, "generate", generate)
    run_id = planned(sessions)
    done = worked_off(sessions, run_id)

    failed = rows(sessions, run_id, outcome=RunOutcome.FAILED)
    assert (done.created, done.failed, done.running) == (3, 2, False)
    assert failed[0].reason == "The rate card says two things at once"
    assert failed[1].reason.startswith("Something went wrong on our side. Reference ")

    monkeypatch.undo()
    changed(sessions, planning.retry_failed, run_id)
    assert seen(sessions, run_id).waiting == 2
    assert worked_off(sessions, run_id).created == 5
    with pytest.raises(Conflict, match="No customer of this run has failed"):
        changed(sessions, planning.retry_failed, run_id)


@pytest.mark.parametrize(("verb", "held"), [(planning.pause, "paused"), (planning.cancel, "stopped")])
def test_a_retry_does_not_go_on_with_a_run_that_was_paused_or_stopped(sessions, company, verb, held):
    run_id = planned(sessions)
    fail(sessions, run_id, company[:1])
    changed(sessions, verb, run_id)
    with pytest.raises(Conflict, match=f"Run {run_id} is {held} and has customers left: resume it first"):
        changed(sessions, planning.retry_failed, run_id)
    now = seen(sessions, run_id)
    assert (now.running, now.failed, now.waiting) == (False, 1, 4)

    changed(sessions, planning.resume, run_id)
    assert worked_off(sessions, run_id).created == 4
    changed(sessions, planning.retry_failed, run_id)
    assert worked_off(sessions, run_id).created == 5


def test_a_stopped_run_whose_customers_all_failed_is_retried(sessions, company):
    run_id = planned(sessions)
    fail(sessions, run_id, company)
    changed(sessions, planning.cancel, run_id)
    changed(sessions, planning.retry_failed, run_id)
    assert worked_off(sessions, run_id).created == 5


def test_somebody_bound_to_one_customer_runs_and_sees_that_one_alone(sessions, company):
    bound = actor_with(Role.MANAGER, user_id=5, name="Mia", customer_id=company[1])
    others, mine = planned(sessions, company[2:]), planned(sessions, actor=bound)
    worked_off(sessions, mine)

    assert made(sessions, company)["reports"] == {company[1]: 1}
    assert seen(sessions, mine, bound).total == 1
    with pytest.raises(NotFound):
        seen(sessions, others, bound)
    for verb in (planning.pause, planning.resume, planning.cancel, planning.retry_failed):
        with pytest.raises(NotFound):
            changed(sessions, verb, others, bound)
    with pytest.raises(Forbidden):
        planned(sessions, actor=bound, goal=RunGoal.DRAFTS)


def test_every_decision_about_a_run_is_in_the_audit_log(sessions, company):
    run_id = planned(sessions, goal=RunGoal.SENT)
    for verb in (planning.pause, planning.resume, planning.cancel):
        changed(sessions, verb, run_id)
    with sessions() as session:
        entries = session.execute(
            select(AuditEntry.action, AuditEntry.after)
            .where(AuditEntry.subject_kind == "report_run", AuditEntry.subject_id == str(run_id))
            .order_by(AuditEntry.id)
        ).all()
    assert [entry.action for entry in entries] == [
        "report.run",
        "report.run_pause",
        "report.run_resume",
        "report.run_cancel",
    ]
    assert (entries[0].after["goal"], entries[0].after["customers"]) == ("sent", 5)
    assert entries[0].after["period"] == str(MARCH)
