"""Several processes work on the same customers of a run at once: each customer has one of everything."""

import pytest

from billing_core.bill_runs.models import RunGoal
from tests.bill_runs.company import made, planned, seen, some_customers
from tests.bill_runs.in_many_hands import worked_off_at_once
from tests.online_payments.gateways import ScriptedGateway
from tests.reports.company import NOW

PROCESSES = 4


@pytest.mark.parametrize("with_links", [False, True])
def test_one_chunk_in_many_hands(sessions, database_url, with_links):
    with sessions.begin() as session:
        company = some_customers(session, 10)
    run_id = planned(sessions, goal=RunGoal.SENT, with_links=with_links)
    gateway = ScriptedGateway()
    failures = worked_off_at_once(sessions, database_url, run_id, lambda: gateway, processes=PROCESSES)

    assert failures == []
    done = seen(sessions, run_id)
    assert (done.created, done.failed, done.sent, done.finished_at) == (10, 0, 10, NOW)
    one = dict.fromkeys(company, 1)
    assert made(sessions, company) == {
        "reports": one,
        "invoices": one,
        "mails": one,
        "links": one if with_links else {},
    }
    assert len(gateway.payable) == (10 if with_links else 0)
