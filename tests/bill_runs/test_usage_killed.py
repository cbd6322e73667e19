"""Runs over usage whose processes die, or are several at once: each customer's period is billed once all the same."""

import hypothesis
import pytest
from hypothesis import strategies
from sqlalchemy import func, select

from billing_core.bill_runs.models import RunGoal
from billing_core.commands import verify
from billing_core.invoices.models import Invoice
from billing_core.metering.models import UsagePeriod
from tests.bill_runs.company import made, worked_off, worked_off_in_spite_of
from tests.bill_runs.in_many_hands import worked_off_at_once
from tests.bill_runs.test_killed import dying_at
from tests.bill_runs.usage_company import metered_plan, over_usage, users
from tests.online_payments.gateways import ScriptedGateway
from tests.reports.company import NOW

# More than the statements that one customer takes: some kills come too late to hit anybody.
_STATEMENTS = 160
_PROCESSES = 3


@pytest.mark.drawn
def test_a_process_dies_before_any_statement_whatsoever(sessions):
    """New customers for each example, in one database."""
    runs = 0
    with sessions.begin() as session:
        metered_plan(session)

    @hypothesis.settings(max_examples=10, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    @hypothesis.given(
        statements=strategies.lists(strategies.integers(0, _STATEMENTS), max_size=4), with_links=strategies.booleans()
    )
    def goes_on(statements, with_links):
        nonlocal runs
        runs += 1
        with sessions.begin() as session:
            over, within = users(session, {f"R{runs}-over": 5, f"R{runs}-within": 3})
        run_id = over_usage(sessions, [over, within], RunGoal.SENT, with_links=with_links)
        gateway = ScriptedGateway()
        with dying_at(sessions, statements):
            done = worked_off_in_spite_of(sessions, run_id, gateway)
        # Once more, as a process that takes over and finds that all is done.
        assert worked_off(sessions, run_id, gateway) == done
        assert (done.created, done.sent, done.failed, done.empty, done.running) == (2, 1, 0, 1, False)
        one, links = {over: 1}, {over: 1} if with_links else {}
        assert made(sessions, [over, within]) == {"reports": {}, "invoices": one, "mails": one, "links": links}

    goes_on()
    with sessions() as session:
        numbers = session.scalars(select(Invoice.sequence).order_by(Invoice.sequence)).all()
        assert numbers == list(range(1, runs + 1))
        assert session.scalar(select(func.count()).select_from(UsagePeriod)) == 2 * runs
        assert [check for check in verify.checks(session) if check.wrong] == []


def test_several_processes_work_on_the_same_customers_at_once(sessions, database_url):
    with sessions.begin() as session:
        metered_plan(session)
        company = users(session, {f"C{number}": 5 for number in range(8)})
    run_id = over_usage(sessions, goal=RunGoal.SENT)
    failures = worked_off_at_once(sessions, database_url, run_id, ScriptedGateway, processes=_PROCESSES)

    assert failures == []
    one = dict.fromkeys(company, 1)
    assert made(sessions, company) == {"reports": {}, "invoices": one, "mails": one, "links": {}}
    done = worked_off(sessions, run_id)
    assert (done.created, done.failed, done.sent, done.finished_at) == (8, 0, 8, NOW)
