"""Work by queue: each kind in each state, counted by hand."""

from datetime import timedelta

import pytest
from sqlalchemy import event, select

from billing_core.bill_runs.models import RunGoal, RunOutcome
from billing_core.dates import Period
from billing_core.errors import Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.imports.models import FileState
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.jobs.overview import queues
from billing_core.jobs.overview.backlog import Backlog
from billing_core.metering.alerts import UsageCheck
from billing_core.online_payments.gateway import AttachedMethod
from billing_core.online_payments.models import AttemptState, ChargeAttempt, WebhookState
from billing_core.online_payments.off_session import methods
from billing_core.outbox.models import MessageState
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from billing_core.subscriptions.models import SubscriptionInvoice
from tests.jobs.overview.work import (
    NOW,
    a_customer,
    a_process,
    a_run,
    ago,
    an_endpoint,
    an_import,
    customers,
    entries,
    events,
    handled,
    messages,
    of_run,
)
from tests.payments import books
from tests.payments.prepaid import ahead
from tests.processes import newer
from tests.reports.company import MARCH
from tests.subscriptions.signed_up import a_plan, a_subscription, state


def held(session, queue: Queue) -> Backlog:
    return next(row.backlog for row in queues.queues(session, SYSTEM, now=NOW) if row.queue is queue)


def test_nothing_to_do_is_nothing_in_every_queue(session):
    rows = queues.queues(session, SYSTEM, now=NOW)
    assert [row.queue for row in rows] == [queue for queue in Queue if queue not in queues.SCHEDULED]
    assert {row.backlog for row in rows} == {Backlog()}
    assert {row.oldest_seconds for row in rows} == {None}


@pytest.mark.parametrize(
    ("queue", "channel"), [(Queue.MAILS, "mail"), (Queue.GATEWAYS, "gateway"), (Queue.OUTGOING_WEBHOOKS, "webhook")]
)
def test_messages_are_counted_by_what_is_to_be_done_with_them(session, queue, channel):
    endpoint = an_endpoint(session)
    messages(session, channel, 2, claimed_until=NOW + timedelta(minutes=1), claimed_by="a")
    messages(session, channel, 3)
    messages(session, channel, 1, not_before=ago(minutes=20), claimed_until=ago(minutes=4))
    messages(session, channel, 4, not_before=NOW + timedelta(minutes=1))
    messages(session, channel, 5, state=MessageState.HELD_BACK)
    failed = {"state": MessageState.FAILED, "subject_id": endpoint}
    messages(session, channel, 6, **failed, last_error="Mailbox full")
    messages(session, channel, 1, **failed, last_error="No such address", not_before=ago(minutes=1))
    messages(session, channel, 8, state=MessageState.DELIVERED, delivered_at=ago(seconds=59))
    messages(session, channel, 9, state=MessageState.DELIVERED, delivered_at=ago(minutes=59))
    messages(session, channel, 10, state=MessageState.DELIVERED, delivered_at=ago(minutes=61))
    messages(session, channel, 11, state=MessageState.RECALLED)
    assert held(session, queue) == Backlog(
        running=2,
        waiting=4,
        scheduled=4,
        held_back=5,
        failed=7,
        last_error="No such address",
        oldest_at=ago(minutes=20),
        done=17,
        per_minute=8,
    )
    others = {Queue.MAILS, Queue.GATEWAYS, Queue.OUTGOING_WEBHOOKS} - {queue}
    assert [held(session, other) for other in others] == [Backlog(), Backlog()]


def test_the_sandbox_is_a_gateway_too(session):
    messages(session, "sandbox", 3)
    messages(session, "gateway", 4)
    assert held(session, Queue.GATEWAYS).waiting == 7


def test_messages_that_failed_at_a_removed_endpoint_need_no_action(session):
    failed = {"state": MessageState.FAILED, "last_error": "Gone"}
    messages(session, "webhook", 2, **failed, subject_id=an_endpoint(session))
    messages(session, "webhook", 3, **failed, subject_id=an_endpoint(session, active=False), not_before=NOW)
    assert held(session, Queue.OUTGOING_WEBHOOKS) == Backlog(failed=2, last_error="Gone")


def test_incoming_webhooks(session):
    events(session, 2)
    events(session, 1, not_before=ago(minutes=30))
    events(session, 4, not_before=NOW + timedelta(seconds=1))
    handled(session, 5, ago(seconds=30))
    handled(session, 1, ago(seconds=30), WebhookState.IGNORED)
    handled(session, 7, ago(minutes=30))
    handled(session, 8, ago(minutes=90))
    events(session, 1, state=WebhookState.FAILED, handled_at=ago(seconds=5), last_error="The last")
    events(session, 8, state=WebhookState.FAILED, handled_at=ago(days=2), last_error="An old one")
    assert held(session, Queue.INCOMING_WEBHOOKS) == Backlog(
        waiting=3, scheduled=4, failed=9, last_error="The last", oldest_at=ago(minutes=30), done=13, per_minute=6
    )


def test_ledger_entries_that_wait_for_their_seal(session):
    customer_id = a_customer(session)
    entries(session, customer_id, ago(hours=3), ago(hours=2), ago(minutes=50), at=ago(hours=3))
    entries(session, customer_id, ago(minutes=2), ago(seconds=50), ago(seconds=10), at=ago(minutes=51))
    entries(session, customer_id, None, None, at=ago(seconds=9))
    assert held(session, Queue.SEALING) == Backlog(waiting=2, oldest_at=ago(seconds=9), done=4, per_minute=2)


def test_a_first_chain_that_is_younger_than_an_hour_is_counted_whole(session):
    entries(session, a_customer(session), ago(minutes=5), ago(minutes=4), at=ago(minutes=5))
    assert held(session, Queue.SEALING) == Backlog(done=2)


def test_customers_whose_usage_is_to_be_held_against_what_is_watched_for(session):
    asked = [ago(minutes=7), ago(seconds=3), None, None, None, None]
    checked = [None, ago(minutes=8), ago(seconds=59), ago(minutes=59), ago(minutes=59), ago(minutes=61)]
    for customer_id, *instants in zip(customers(session, 6), asked, checked, strict=True):
        session.add(UsageCheck(customer_id=customer_id, asked_at=instants[0], checked_at=instants[1]))
    session.flush()
    assert held(session, Queue.USAGE_ALERTS) == Backlog(waiting=2, oldest_at=ago(minutes=7), done=4, per_minute=1)


def test_credit_that_was_bought_or_is_over(session):
    customer = books.a_customer(session)
    for lately in (ago(seconds=59), ago(minutes=59), ago(minutes=61)):
        purchase = ahead.sell(session, customer, 1_00)
        books.pay(session, customer, 1_00, **{str(purchase.invoice_id): 1_00})
        ahead.keep_up(session, now=lately)
    ahead.give(session, customer, 1_00, books.TODAY)
    ahead.keep_up(session, now=ago(seconds=30))
    purchase = ahead.sell(session, customer, 1_00)
    books.pay(session, customer, 1_00, **{str(purchase.invoice_id): 1_00})
    ahead.give(session, customer, 1_00, books.TODAY)
    session.flush()
    assert held(session, Queue.PREPAID_CREDIT) == Backlog(waiting=2, done=3, per_minute=2)


def test_customers_of_runs(session):
    a_process(session, "alive")
    a_process(session, "silent", silent_for=60)
    going = a_run(session, at=ago(minutes=10))
    of_run(session, going, customers(session, 2), RunOutcome.WAITING, process_id="alive")
    of_run(session, going, customers(session, 3), RunOutcome.WAITING, process_id="silent")
    of_run(session, going, customers(session, 1), RunOutcome.WAITING)
    of_run(session, going, customers(session, 5), RunOutcome.CREATED, finished_at=ago(seconds=59))
    of_run(session, going, customers(session, 6), RunOutcome.UNCHANGED, finished_at=ago(minutes=59))
    of_run(session, going, customers(session, 7), RunOutcome.CREATED, finished_at=ago(minutes=61))
    failed = customers(session, 2)
    of_run(session, going, failed[:1], RunOutcome.FAILED, finished_at=ago(minutes=2), reason="An old one")
    of_run(session, going, failed[1:], RunOutcome.FAILED, finished_at=ago(minutes=1), reason="The last")
    of_run(session, a_run(session, paused_at=NOW), customers(session, 8), RunOutcome.WAITING)
    of_run(session, a_run(session, cancelled_at=NOW), customers(session, 9), RunOutcome.WAITING)
    assert held(session, Queue.BILL_RUNS) == Backlog(
        running=2,
        waiting=4,
        held_back=8,
        failed=2,
        last_error="The last",
        oldest_at=ago(minutes=10),
        done=11,
        per_minute=5,
    )


def test_a_customer_who_failed_counts_until_a_later_run_of_the_same_has_them(session):
    [customer_id] = customers(session, 1)
    of_run(session, a_run(session), [customer_id], RunOutcome.FAILED, finished_at=NOW, reason="No rate")
    assert held(session, Queue.BILL_RUNS).failed == 1
    april = Period(MARCH.start.replace(month=4), MARCH.end.replace(month=4, day=30))
    for other in ({"period": april}, {"goal": RunGoal.DRAFTS}, {"services": "1"}, {"cancelled_at": NOW}):
        of_run(session, a_run(session, **other), [customer_id], RunOutcome.CREATED, finished_at=ago(days=1))
        assert held(session, Queue.BILL_RUNS).failed == 1, other
    of_run(session, a_run(session), [customer_id], RunOutcome.FAILED, finished_at=NOW, reason="Still no rate")
    assert held(session, Queue.BILL_RUNS).failed == 2
    of_run(session, a_run(session), [customer_id], RunOutcome.WAITING)
    assert held(session, Queue.BILL_RUNS) == Backlog(waiting=1, oldest_at=NOW)


@pytest.mark.parametrize("facts", [{"goal": RunGoal.REHEARSAL}, {"cancelled_at": NOW}])
def test_nothing_of_a_rehearsal_or_of_a_stopped_run_has_failed(session, facts):
    of_run(session, a_run(session, **facts), customers(session, 2), RunOutcome.FAILED, finished_at=NOW, reason="No")
    assert held(session, Queue.BILL_RUNS) == Backlog()


def test_imports(session):
    a_process(session, "alive")
    an_import(session, process_id="alive", started_at=NOW)
    an_import(session, process_id="alive", started_at=NOW, cancelled_at=NOW)
    an_import(session, process_id="gone", at=ago(minutes=7))
    an_import(session, at=ago(minutes=6))
    an_import(session, cancelled_at=NOW)
    for finished_at in (ago(seconds=30), ago(minutes=30), ago(minutes=40), ago(hours=2)):
        an_import(session, finished_at=finished_at, state=FileState.IMPORTED)
    an_import(session, finished_at=ago(minutes=5), reason="The disk is full", state=FileState.REFUSED)
    an_import(session, finished_at=ago(minutes=1), reason="Tried again since", state=FileState.IMPORTED)
    assert held(session, Queue.IMPORTS) == Backlog(
        running=2, waiting=2, failed=1, last_error="The disk is full", oldest_at=ago(minutes=7), done=3, per_minute=1
    )


def test_subscriptions_that_are_to_be_renewed_and_held_ones(session):
    """Begun on 31 January: the next period began on 28 February, and four months later is 31 May."""
    a_plan(session)
    due, held_back, later = (a_subscription(session, ref=ref) for ref in ("A", "B", "C"))
    state(session, due).next_at = ago(minutes=6)
    state(session, held_back).held_at = ago(minutes=1)
    state(session, later).next_at = NOW + timedelta(minutes=1)
    session.flush()
    made = session.scalars(select(SubscriptionInvoice).order_by(SubscriptionInvoice.id)).all()
    for one, lately in zip(made, (ago(seconds=59), ago(minutes=59), ago(minutes=61)), strict=True):
        one.created_at = lately
    session.flush()
    assert held(session, Queue.RENEWALS) == Backlog(
        waiting=1, held_back=1, oldest_at=ago(minutes=6), done=2, per_minute=1
    )


def test_charges_that_are_due_under_way_and_to_be_tried_again(session):
    a_plan(session)
    for ref in "ABCD":
        a_subscription(session, ref=ref)
    due, under_way, cut_off, tried_again = session.scalars(select(SubscriptionInvoice).order_by(SubscriptionInvoice.id))
    card = a_card(session, session.get_one(Invoice, under_way.invoice_id).customer_id)
    for billed in (under_way, cut_off):
        billed.attempt_id = an_attempt(session, billed.invoice_id, card)
    an_attempt(session, due.invoice_id, card, state=AttemptState.DECLINED, finished_at=ago(seconds=59))
    an_attempt(session, tried_again.invoice_id, card, state=AttemptState.DECLINED, finished_at=ago(minutes=61))
    due.collect_at, cut_off.collect_at = ago(minutes=3), ago(minutes=5)
    under_way.collect_at, tried_again.collect_at = NOW + timedelta(minutes=9), NOW + timedelta(days=1)
    session.flush()
    assert held(session, Queue.CHARGES) == Backlog(
        running=1, waiting=2, scheduled=1, oldest_at=ago(minutes=5), done=1, per_minute=1
    )


def a_card(session, customer_id: int) -> int:
    known = AttachedMethod("cus_1", "pm_card_visa", "visa", "4242", 12, 2030)
    return methods.record(session, SYSTEM, customer_id, known, mode=Mode.SANDBOX, now=NOW)


def an_attempt(session, invoice_id: int, card: int, **facts) -> int:
    attempt = ChargeAttempt(
        invoice_id=invoice_id,
        method_id=card,
        currency="USD",
        amount_minor=3_000,
        description="",
        started_at=ago(hours=2),
        created_by="Ada",
        **facts,
    )
    session.add(attempt)
    session.flush()
    return attempt.id


def test_a_queue_that_a_newer_version_has_paused_is_passed_over(session):
    newer.paused(session, "forecasts")
    assert {row.pause for row in queues.queues(session, SYSTEM, now=NOW)} == {None}


def test_a_paused_queue_says_since_when_and_by_whom(session):
    ada = actor_with(Role.ADMIN, user_id=1, name="Ada")
    pausing.pause(session, ada, Queue.MAILS, now=ago(minutes=2))
    rows = {row.queue: row.pause for row in queues.queues(session, SYSTEM, now=NOW)}
    assert rows.pop(Queue.MAILS) == queues.Pause(ago(minutes=2), "Ada")
    assert set(rows.values()) == {None}


def test_the_oldest_is_as_old_as_it_has_been_due(session):
    messages(session, "mail", 1, not_before=ago(seconds=90), created_at=ago(days=3))
    [row] = [row for row in queues.queues(session, SYSTEM, now=NOW) if row.queue is Queue.MAILS]
    assert row.oldest_seconds == 90


@pytest.mark.parametrize("role", [Role.FINANCE, Role.MANAGER])
def test_only_admins_see_it(session, role):
    actor = actor_with(role, user_id=1, name="Somebody")
    with pytest.raises(Forbidden):
        queues.queues(session, actor, now=NOW)
    with pytest.raises(Forbidden):
        queues.read(session, actor, now=NOW)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_large_tables_are_counted_by_their_indexes(session):
    """Asked every few seconds, beside a million messages. PostgreSQL would read tables as small as a test's whole."""
    asked: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        asked.append((statement, parameters))

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        held(session, Queue.MAILS)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    plans = [
        row[3]
        for statement, parameters in asked
        for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    ]
    large = ("outbox_messages", "webhook_events", "bill_run_customers", "ledger_entries")
    assert {table for plan in plans for table in large if table in plan} == set(large) - {"ledger_entries"}
    assert [
        plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in large and "INDEX" not in plan
    ] == []
