"""Subscriptions in the background: renewed and charged once each, by whichever process, wherever one was killed."""

import os
import time
from datetime import timedelta

import pytest
from dbos import DBOS
from sqlalchemy import func, select, update

from billing_core import runtime
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.jobs import engine, pauses, queues
from billing_core.jobs.presence import taking_over
from billing_core.jobs.subscriptions import charges, renewals
from billing_core.online_payments.models import AttemptState, ChargeAttempt, SandboxCharge
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.payments.models import Payment
from billing_core.processes import pausing
from billing_core.processes.models import Process, Queue
from billing_core.settings import settings
from billing_core.subscriptions import queries, signing_up
from billing_core.subscriptions.lifecycle import ACTIVE
from billing_core.subscriptions.models import Subscription, SubscriptionInvoice
from billing_core.subscriptions.service import Wanted
from tests.forked import carried_out
from tests.invoices.company import a_customer
from tests.jobs.test_taking_over import silence
from tests.subscriptions.signed_up import a_plan

NUMBER = 5
WITHIN_SECONDS = 120


@pytest.fixture
def subscribed(sessions, data_dir, monkeypatch):
    """Five customers with cards, who have paid their first month: the second began a day ago."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    gateway, begun = SandboxGateway(sessions, settings()), utc_now() - timedelta(days=32)
    with sessions.begin() as session:
        a_plan(session)
        names = [session.get_one(Customer, a_customer(session, f"C{place}")).public_id for place in range(NUMBER)]
    for name in names:
        signing_up.subscribe(sessions, SYSTEM, gateway, Wanted(name, "pro"), method="pm_card_visa", now=begun)
    return sessions


def waiting(sessions) -> tuple[int, int]:
    """How many are to be renewed, and how many charged."""
    with sessions() as session:
        due = select(func.count()).select_from(SubscriptionInvoice).where(SubscriptionInvoice.collect_at.is_not(None))
        return len(queries.due(session, now=utc_now(), limit=100)), session.scalar(due)


def made(sessions) -> tuple[int, int, int, int]:
    """How many invoices are paid, how many there are, how many payments, and how many charges at the gateway."""
    with sessions() as session:
        paid = session.scalar(select(func.count()).where(Invoice.state == InvoiceState.PAID))
        return paid, *(
            session.scalar(select(func.count()).select_from(each)) for each in (Invoice, Payment, SandboxCharge)
        )


def until(condition) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def chunks(monkeypatch, size: int) -> None:
    for job in (renewals, charges):
        monkeypatch.setattr(job, "_CHUNK_SIZE", size)


def run_here(sessions) -> tuple[int, int]:
    """Every chunk that is handed out, in this thread."""
    done = []
    for job, work in ((renewals, renewals.renew), (charges, charges.collect)):
        found = []
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(queues, "enqueue_once", lambda *given, work, kept=found: kept.append(given))
            job.keep_going()
        done.append(sum(work(range(first, end)) for _, _, first, end in found))
    return tuple(done)


def test_what_is_due_is_handed_out_in_chunks_and_done_once(subscribed, monkeypatch):
    chunks(monkeypatch, 2)
    assert made(subscribed) == (5, 5, 5, 5)
    with subscribed() as session:
        ids = session.scalars(select(Subscription.id).order_by(Subscription.id)).all()
        found = queries.due_chunks(session, now=utc_now(), size=2, limit=10)
        assert [one for chunk in found for one in chunk if one in ids] == ids
        assert {len(chunk) for chunk in found} == {2}
        assert len(queries.due_chunks(session, now=utc_now(), size=2, limit=1)) == 1
    assert run_here(subscribed) == (5, 5)
    assert run_here(subscribed) == (0, 0)
    assert made(subscribed) == (10, 10, 10, 10)


def test_it_stops_between_two_when_it_is_told_to(subscribed):
    asked = iter([False, False, False, True])
    assert renewals.renew(range(1_000), lambda: next(asked)) == 2
    assert waiting(subscribed) == (3, 2)


def test_a_gateway_that_does_not_answer_keeps_no_period_from_beginning(subscribed, monkeypatch):
    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    monkeypatch.setattr(SandboxGateway, "charge_off_session", away)
    assert run_here(subscribed) == (5, 0)
    assert waiting(subscribed) == (0, 5)
    # Nobody asks it again and again.
    with subscribed() as session:
        assert charges.collecting.due_chunks(session, now=utc_now(), size=2, limit=10) == []
        assert (
            session.scalars(select(ChargeAttempt.state).order_by(ChargeAttempt.id)).all()[5:]
            == [AttemptState.STARTED] * 5
        )


def test_a_bug_with_one_waits_for_a_person_and_stops_no_other(subscribed, monkeypatch):
    usual = renewals.clock.renewals.advance
    with subscribed() as session:
        broken = session.scalars(select(Subscription.id).order_by(Subscription.id)).all()[1]

    def advance(session, actor, subscription_id, **facts):
        if subscription_id == broken:
            raise ZeroDivisionError
        return usual(session, actor, subscription_id, **facts)

    monkeypatch.setattr(renewals.clock.renewals, "advance", advance)
    assert run_here(subscribed) == (5, 4)  # holding it back is a step too
    with subscribed() as session:
        held = session.scalars(select(Subscription).where(Subscription.held_at.is_not(None))).all()
        assert [one.id for one in held] == [broken]
        assert held[0].hold_reason.startswith("Something went wrong on our side. Reference ")


@pytest.mark.slow
def test_the_jobs_do_it_by_themselves_and_not_while_they_are_paused(subscribed):
    with subscribed.begin() as session:
        pausing.pause(session, SYSTEM, Queue.CHARGES, now=utc_now())
    engine.start()
    try:
        until(lambda: waiting(subscribed) == (0, 5))
        assert made(subscribed) == (5, 10, 5, 5)
        with subscribed.begin() as session:
            pausing.resume(session, SYSTEM, Queue.CHARGES, now=utc_now())
        pauses.learn(set())
        until(lambda: waiting(subscribed) == (0, 0))
        names = {workflow.name for workflow in DBOS.list_workflows()}
    finally:
        engine.stop()
    assert made(subscribed) == (10, 10, 10, 10)
    assert {"renew_chunk", "collect_chunk"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("dying", ["renewing", "charging", "recording"])
def test_a_process_killed_anywhere_doubles_and_loses_nothing(subscribed, database_url, data_dir, dying):
    environment = {**os.environ, "BILLING_DATABASE_URL": database_url, "DYING": dying}
    assert carried_out("tests/jobs/subscriptions/dying_cashier.py", environment=environment) == -9
    assert made(subscribed)[0] < 10
    silence(subscribed)
    with subscribed() as session:
        missed = session.scalars(select(Process.id)).all()
    assert taking_over.declare_lost(missed) == missed
    # The time in which a charge that was begun may still be under way is over.
    with subscribed.begin() as session:
        begun = update(SubscriptionInvoice).where(SubscriptionInvoice.attempt_id.is_not(None))
        session.execute(begun.where(SubscriptionInvoice.collect_at.is_not(None)).values(collect_at=utc_now()))
    engine.start()
    try:
        until(lambda: waiting(subscribed) == (0, 0))
    finally:
        engine.stop()
    assert made(subscribed) == (10, 10, 10, 10)
    with subscribed() as session:
        assert set(session.scalars(select(ChargeAttempt.state))) == {AttemptState.SUCCEEDED}
        assert set(session.scalars(select(Subscription.state))) == {ACTIVE}
        assert set(session.scalars(select(Payment.amount_minor))) == {3_000}


@pytest.mark.slow
def test_a_sign_up_that_was_cut_off_is_completed(subscribed, monkeypatch):
    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    with subscribed.begin() as session:
        name = session.get_one(Customer, a_customer(session, "LATE")).public_id
    gateway = SandboxGateway(subscribed, settings())
    begun = utc_now() - timedelta(minutes=11)
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "charge_off_session", away)
        with pytest.raises(UpstreamFailed):
            signing_up.subscribe(subscribed, SYSTEM, gateway, Wanted(name, "pro"), method="pm_card_visa", now=begun)
    engine.start()
    try:
        until(lambda: waiting(subscribed) == (0, 0) and made(subscribed) == (11, 11, 11, 11))
    finally:
        engine.stop()
