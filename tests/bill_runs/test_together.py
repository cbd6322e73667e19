"""Several processes work on the same customers of a run at once: each customer has one of everything."""

import threading

import pytest

from billing_core.bill_runs import taking, workflow
from billing_core.bill_runs.models import RunGoal
from billing_core.database import Sessions, connect
from tests.bill_runs.company import made, planned, seen, some_customers
from tests.online_payments.gateways import ScriptedGateway
from tests.reports.company import NOW

PROCESSES = 4


@pytest.mark.parametrize("with_links", [False, True])
def test_one_chunk_in_many_hands(sessions, database_url, with_links):
    with sessions.begin() as session:
        company = some_customers(session, 10)
    run_id = planned(sessions, goal=RunGoal.SENT, with_links=with_links)
    with sessions() as session:
        terms = taking.terms(session, run_id)
    gateway, together, failures = ScriptedGateway(), threading.Barrier(PROCESSES), []

    def work_off() -> None:
        ours = Sessions(connect(database_url))
        together.wait(timeout=300)
        try:
            while workflow.bill_next(ours, lambda: gateway, terms, 0, now=NOW):
                pass
            with ours.begin() as session:
                taking.finish(session, run_id, 1, now=NOW)
        except Exception as error:
            failures.append(error)
        finally:
            ours.engine.dispose()

    working = [threading.Thread(target=work_off) for _ in range(PROCESSES)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join(timeout=300)

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
