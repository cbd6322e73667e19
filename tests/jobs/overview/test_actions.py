"""What an admin can do about a queue: retry what failed, cancel what waits."""

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.bill_runs import planning
from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunOutcome
from billing_core.errors import Conflict, Forbidden
from billing_core.identity import SYSTEM, Permission, Role, actor_with
from billing_core.identity.permissions import Actor
from billing_core.imports.models import FileState, ImportFile, ImportJob
from billing_core.jobs.overview import actions
from billing_core.jobs.overview.actions import Retried
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.processes.models import Queue
from tests.jobs.overview.work import (
    NOW,
    a_process,
    a_run,
    ago,
    an_endpoint,
    an_import,
    customers,
    events,
    messages,
    of_run,
)

ADA = actor_with(Role.ADMIN, user_id=1, name="Ada")
STEPS = [actions.retry_failed, actions.cancel_waiting]


def states(session) -> dict[tuple[str, MessageState], int]:
    grouped = (OutboxMessage.channel, OutboxMessage.state)
    return {(row[0], row[1]): row[2] for row in session.execute(select(*grouped, func.count()).group_by(*grouped))}


def traces(session) -> list[tuple[str, str]]:
    session.flush()
    return [
        tuple(row) for row in session.execute(select(AuditEntry.action, AuditEntry.actor_name).order_by(AuditEntry.id))
    ]


@pytest.mark.parametrize(
    ("queue", "channel"), [(Queue.MAILS, "mail"), (Queue.GATEWAYS, "gateway"), (Queue.OUTGOING_WEBHOOKS, "webhook")]
)
def test_messages_of_a_queue_are_retried_and_no_others(session, queue, channel):
    endpoint = an_endpoint(session)
    for each in ("mail", "gateway", "webhook"):
        messages(session, each, 2, state=MessageState.FAILED, subject_id=endpoint, attempts=7)
        messages(session, each, 3, state=MessageState.HELD_BACK)
    assert actions.retry_failed(session, ADA, queue, now=NOW) == Retried(2)
    assert states(session) == {
        **{(each, MessageState.FAILED): 2 for each in ("mail", "gateway", "webhook") if each != channel},
        **{(each, MessageState.HELD_BACK): 3 for each in ("mail", "gateway", "webhook")},
        (channel, MessageState.WAITING): 2,
    }
    again = select(OutboxMessage.not_before).where(OutboxMessage.state == MessageState.WAITING)
    assert session.scalars(again).all() == [NOW, NOW]
    assert traces(session) == [("outbox.retry", "Ada")] * 2


def test_messages_to_a_removed_endpoint_are_left_alone(session):
    messages(session, "webhook", 2, state=MessageState.FAILED, subject_id=an_endpoint(session, active=False))
    with pytest.raises(Conflict, match="Nothing has failed among outgoing webhooks"):
        actions.retry_failed(session, ADA, Queue.OUTGOING_WEBHOOKS, now=NOW)


def test_one_step_takes_the_longest_failed_up_to_a_limit(session):
    messages(session, "mail", 1, state=MessageState.FAILED, not_before=ago(minutes=1))
    messages(session, "mail", actions.MOST_AT_ONCE, state=MessageState.FAILED, not_before=ago(hours=1))
    assert actions.retry_failed(session, ADA, Queue.MAILS, now=NOW).count == actions.MOST_AT_ONCE
    left = session.scalars(select(OutboxMessage.not_before).where(OutboxMessage.state == MessageState.FAILED)).all()
    assert left == [ago(minutes=1)]
    assert actions.retry_failed(session, ADA, Queue.MAILS, now=NOW).count == 1


def test_failed_events_are_handled_again_from_the_start(session):
    failed = {"state": WebhookState.FAILED, "handled_at": NOW, "attempts": 7, "last_error": "No such payment"}
    events(session, 2, **failed)
    events(session, 3, state=WebhookState.HANDLED, handled_at=NOW)
    assert actions.retry_failed(session, ADA, Queue.INCOMING_WEBHOOKS, now=NOW) == Retried(2)
    waiting = select(WebhookEvent.attempts, WebhookEvent.not_before, WebhookEvent.handled_at).where(
        WebhookEvent.state == WebhookState.WAITING
    )
    assert [tuple(row) for row in session.execute(waiting)] == [(0, NOW, None)] * 2
    assert traces(session) == [("webhook.process_again", "Ada")] * 2


def test_failed_customers_of_runs_wait_again(session):
    run_id, other = a_run(session, finished_at=NOW), a_run(session, finished_at=NOW, services="1")
    of_run(session, run_id, customers(session, 2), RunOutcome.FAILED, finished_at=NOW, reason="No rate")
    of_run(session, other, customers(session, 3), RunOutcome.CREATED, finished_at=NOW)
    assert actions.retry_failed(session, ADA, Queue.BILL_RUNS, now=NOW) == Retried(1, (run_id,))
    waiting = select(func.count()).where(BillRunCustomer.outcome == RunOutcome.WAITING)
    assert session.scalar(waiting) == 2
    assert session.get(BillRun, run_id).finished_at is None
    assert session.get(BillRun, other).finished_at == NOW
    assert traces(session) == [("report.run_retry", "Ada")]


def test_a_run_that_another_one_stands_in_the_way_of_does_not_keep_the_others(session, monkeypatch):
    retry = planning.retry_failed

    def refusing(session, actor, run_id, *, now):
        if run_id == first:
            raise Conflict("Another run has these customers")
        retry(session, actor, run_id, now=now)

    monkeypatch.setattr(planning, "retry_failed", refusing)
    first, second = a_run(session, finished_at=NOW), a_run(session, finished_at=NOW, services="1")
    of_run(session, first, customers(session, 1), RunOutcome.FAILED, finished_at=NOW, reason="No rate")
    with pytest.raises(Conflict, match="Another run"):
        actions.retry_failed(session, ADA, Queue.BILL_RUNS, now=NOW)
    of_run(session, second, customers(session, 1), RunOutcome.FAILED, finished_at=NOW, reason="No rate")
    assert actions.retry_failed(session, ADA, Queue.BILL_RUNS, now=NOW) == Retried(1, (second,))


def test_a_paused_run_stays_paused_when_what_failed_is_retried(session):
    paused, finished = a_run(session, paused_at=NOW), a_run(session, finished_at=NOW, services="1")
    of_run(session, paused, customers(session, 1), RunOutcome.FAILED, finished_at=NOW, reason="No rate")
    of_run(session, paused, customers(session, 2), RunOutcome.WAITING)
    with pytest.raises(Conflict, match=f"Run {paused} is paused"):
        actions.retry_failed(session, ADA, Queue.BILL_RUNS, now=NOW)
    of_run(session, finished, customers(session, 1), RunOutcome.FAILED, finished_at=NOW, reason="No rate")
    assert actions.retry_failed(session, ADA, Queue.BILL_RUNS, now=NOW) == Retried(1, (finished,))
    assert session.get(BillRun, paused).paused_at == NOW


@pytest.mark.parametrize("queue", Queue)
def test_there_is_nothing_to_do_about_an_empty_queue(session, queue):
    for step in STEPS:
        with pytest.raises(Conflict):
            step(session, ADA, queue, now=NOW)
    assert traces(session) == []


def test_untried_mails_are_recalled_and_nothing_else(session):
    messages(session, "mail", 2)
    messages(session, "mail", 1, not_before=ago(hours=-1))
    messages(session, "mail", 4, attempts=1)
    messages(session, "mail", 5, state=MessageState.FAILED)
    messages(session, "gateway", 6)
    assert actions.cancel_waiting(session, ADA, Queue.MAILS, now=NOW) == 3
    assert states(session) == {
        ("mail", MessageState.RECALLED): 3,
        ("mail", MessageState.WAITING): 4,
        ("mail", MessageState.FAILED): 5,
        ("gateway", MessageState.WAITING): 6,
    }
    assert traces(session) == [("outbox.recall", "Ada")] * 3


def test_runs_that_go_on_are_stopped(session):
    going, paused = a_run(session), a_run(session, paused_at=NOW, services="1")
    ended = a_run(session, finished_at=ago(hours=1), services="2")
    assert actions.cancel_waiting(session, ADA, Queue.BILL_RUNS, now=NOW) == 2
    assert [session.get(BillRun, one).cancelled_at for one in (going, paused, ended)] == [NOW, NOW, None]
    assert traces(session) == [("report.run_cancel", "Ada")] * 2


def test_imports_that_failed_go_on_and_those_that_wait_are_called_off(session):
    reason = "Something went wrong on our side. Reference 1"
    failed = an_import(session, state=FileState.REFUSED, finished_at=NOW, reason=reason)
    refused_itself = an_import(session, state=FileState.REFUSED, finished_at=NOW)
    taken_up = an_import(session, process_id=a_process(session, "app-1"))
    waiting = an_import(session)

    assert actions.cancel_waiting(session, ADA, Queue.IMPORTS, now=NOW) == 1
    with pytest.raises(Conflict, match="Nothing among imports can be cancelled"):
        actions.cancel_waiting(session, ADA, Queue.IMPORTS, now=NOW)
    assert actions.retry_failed(session, ADA, Queue.IMPORTS, now=NOW) == Retried(1)
    with pytest.raises(Conflict, match="Nothing has failed among imports"):
        actions.retry_failed(session, ADA, Queue.IMPORTS, now=NOW)

    found = session.execute(select(ImportFile.token, ImportFile.state, ImportFile.job_id)).all()
    assert sorted(found) == [
        (f"token-{failed}", FileState.WAITING, failed),
        (f"token-{refused_itself}", FileState.REFUSED, refused_itself),
        (f"token-{taken_up}", FileState.WAITING, taken_up),
        (f"token-{waiting}", FileState.NEW, None),
    ]
    session.expire_all()
    assert (session.get_one(ImportJob, failed).finished_at, session.get_one(ImportJob, failed).attempt) == (None, 2)
    assert traces(session) == [("jobs.cancel", "Ada"), ("jobs.retry", "Ada")]


@pytest.mark.parametrize("queue", [Queue.OUTGOING_WEBHOOKS, Queue.GATEWAYS])
def test_what_other_systems_must_be_told_cannot_be_cancelled(session, queue):
    messages(session, {Queue.OUTGOING_WEBHOOKS: "webhook", Queue.GATEWAYS: "gateway"}[queue], 2)
    with pytest.raises(Conflict, match="can be cancelled"):
        actions.cancel_waiting(session, ADA, queue, now=NOW)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("role", [Role.FINANCE, Role.MANAGER])
@pytest.mark.parametrize("queue", Queue)
def test_only_admins_may(session, step, role, queue):
    with pytest.raises(Forbidden, match=r"jobs\.manage"):
        step(session, actor_with(role, user_id=1, name="Somebody"), queue, now=NOW)


def test_whoever_may_manage_jobs_alone_may_not_do_what_the_works_own_page_would_refuse(session):
    janitor = Actor(1, "Janitor", frozenset({Permission.JOBS_MANAGE}))
    messages(session, "mail", 1, state=MessageState.FAILED)
    messages(session, "mail", 2)
    events(session, 1, state=WebhookState.FAILED)
    run_id = a_run(session, finished_at=NOW)
    of_run(session, run_id, customers(session, 1), RunOutcome.FAILED, finished_at=NOW, reason="No rate")
    a_run(session, services="1")
    for queue in (Queue.MAILS, Queue.INCOMING_WEBHOOKS, Queue.BILL_RUNS, Queue.IMPORTS):
        with pytest.raises(Forbidden):
            actions.retry_failed(session, janitor, queue, now=NOW)
    for queue in actions.CANCELLED:
        with pytest.raises(Forbidden):
            actions.cancel_waiting(session, janitor, queue, now=NOW)


def test_the_system_may_do_all_of_it(session):
    messages(session, "mail", 1, state=MessageState.FAILED)
    assert actions.retry_failed(session, SYSTEM, Queue.MAILS, now=NOW) == Retried(1)
    assert actions.cancel_waiting(session, SYSTEM, Queue.MAILS, now=NOW) == 1
