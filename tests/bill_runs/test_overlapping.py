"""A second run that would bill the same is refused."""

import threading
from datetime import date

import pytest
from sqlalchemy import func, select

from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRun, RunGoal
from billing_core.bill_runs.overlapping import Overlapping
from billing_core.dates import Period
from billing_core.identity import SYSTEM, Role, actor_with
from tests.reports.company import HANDLING, LATER, MARCH, NOW, PICKING, a_customer, an_order

LATE_MARCH = Period(date(2026, 3, 15), date(2026, 4, 10))
APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))


@pytest.fixture
def company(sessions) -> list[int]:
    with sessions.begin() as session:
        ids = [a_customer(session, f"C{n}", name=f"Customer {n}") for n in range(3)]
        for customer_id in ids:
            an_order(session, customer_id, f"SO-{customer_id}")
    return ids


def planned(sessions, customer_ids=None, actor=SYSTEM, period=MARCH, **options) -> int:
    with sessions.begin() as session:
        return planning.plan(session, actor, customer_ids=customer_ids, period=period, now=NOW, **options)


def refused(sessions, *arguments, **options) -> Overlapping:
    with pytest.raises(Overlapping) as refusal:
        planned(sessions, *arguments, **options)
    return refusal.value


def test_it_names_the_first_and_leaves_nothing_behind(sessions, company):
    first = planned(sessions)

    refusal = refused(sessions, [company[1]], period=LATE_MARCH)

    assert refusal.run_id == first
    assert str(refusal) == (
        f"Run {first} bills some of these customers from 2026-03-01 to 2026-03-31 and is not finished: wait for it, "
        "or stop it"
    )
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(BillRun)) == 1


def test_other_days_customers_or_services_are_another_matter(sessions, company):
    planned(sessions, [company[0]], service_ids=[HANDLING])
    planned(sessions, [company[0]], service_ids=[PICKING])
    planned(sessions, [company[1]])
    planned(sessions, [company[0]], period=APRIL)
    assert refused(sessions, [company[0]]).run_id == 1
    assert refused(sessions, [company[1]], service_ids=[PICKING]).run_id == 3


def test_what_was_stopped_does_not_stand_in_the_way_until_it_goes_on(sessions, company):
    first = planned(sessions)
    with sessions.begin() as session:
        planning.cancel(session, SYSTEM, first, now=NOW)
    second = planned(sessions, [company[2]])

    with pytest.raises(Overlapping) as refusal, sessions.begin() as session:
        planning.resume(session, SYSTEM, first, now=LATER)

    assert refusal.value.run_id == second
    with sessions() as session:
        assert session.get_one(BillRun, first).cancelled_at == NOW


def test_a_paused_run_stands_in_the_way(sessions, company):
    first = planned(sessions)
    with sessions.begin() as session:
        planning.pause(session, SYSTEM, first, now=NOW)
    assert refused(sessions).run_id == first
    with sessions.begin() as session:
        planning.resume(session, SYSTEM, first, now=LATER)


def test_a_rehearsal_stands_in_the_way_of_another_one_alone(sessions, company):
    rehearsed = planned(sessions, goal=RunGoal.REHEARSAL)
    planned(sessions)
    assert refused(sessions, goal=RunGoal.REHEARSAL).run_id == rehearsed


def test_a_run_that_its_author_may_not_see_is_not_named(sessions, company):
    planned(sessions)
    refusal = refused(sessions, actor=actor_with(Role.MANAGER, user_id=5, name="Mia", customer_id=company[1]))
    assert refusal.run_id is None
    assert str(refusal).startswith("Another run bills some of these customers")


def test_of_several_who_start_it_at_once_one_does(sessions, company):
    outcomes: list[int | None] = []
    together = threading.Barrier(4)

    def start() -> None:
        together.wait(timeout=300)
        try:
            planned(sessions)
        except Overlapping as refusal:
            outcomes.append(refusal.run_id)

    starting = [threading.Thread(target=start) for _ in range(4)]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join(timeout=300)

    with sessions() as session:
        (first,) = session.scalars(select(BillRun.id))
    assert outcomes == [first] * 3
