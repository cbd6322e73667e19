"""Whom a run bills, and whom another one over the same would."""

from datetime import date

import pytest

from billing_core.bill_runs import planning, progress
from billing_core.bill_runs.planning import Reach
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from tests.reports.company import MARCH, NOW, a_customer, an_order

APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))


@pytest.fixture
def three(session) -> list[int]:
    """Two with orders in March, the first of whom has an address, and one without orders."""
    ids = [a_customer(session, ref, name=ref) for ref in ("A", "B", "C")]
    session.get_one(Customer, ids[0]).email = "ap@a.example"
    for customer_id in ids[:2]:
        an_order(session, customer_id, f"SO-{customer_id}")
    session.flush()
    return ids


def test_it_is_known_before_how_many_a_run_would_bill(session, three):
    def reach(customer_ids, actor=SYSTEM, period=MARCH):
        return planning.reach(session, actor, customer_ids=customer_ids, period=period)

    assert reach(None) == Reach(customers=2, without_email=1)
    assert reach(three[1:]) == Reach(customers=2, without_email=2)
    assert reach(None, period=APRIL) == Reach(customers=0, without_email=0)
    bound = actor_with(Role.MANAGER, user_id=5, name="Mia", customer_id=three[0])
    assert reach(None, bound) == Reach(customers=1, without_email=0)
    with pytest.raises(Forbidden):
        reach(None, actor_with(Role.FINANCE, user_id=6, name="Fin"))


def test_a_run_tells_its_customers_to_whoever_may_see_it(session, three):
    run_id = planning.plan(session, SYSTEM, customer_ids=three[:2], period=MARCH, now=NOW)

    assert progress.customer_ids(session, SYSTEM, run_id) == three[:2]
    bound = actor_with(Role.MANAGER, user_id=5, name="Mia", customer_id=three[0])
    assert progress.customer_ids(session, bound, run_id) == []
