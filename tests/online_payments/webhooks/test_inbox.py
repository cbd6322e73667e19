"""Events between their arrival and their effect: kept once, tried again, given up, and seen by people."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from billing_core import figures
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import figures as attention
from billing_core.online_payments import queries
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.online_payments.queries import EventFilter
from billing_core.online_payments.webhooks import handlers, inbox
from billing_core.online_payments.webhooks.group_commit import GroupCommit
from billing_core.online_payments.webhooks.refusals import Refusals
from billing_core.outbox.delivery import WAITS
from billing_core.payments.models import Payment
from tests.online_payments.linked import LATER, became, linked, paying, tell, wait
from tests.online_payments.stripe.events import Paying, event, payload, store
from tests.payments.books import accounts

ADMIN = actor_with(Role.ADMIN, user_id=None, name="Grace Hopper")
READER = actor_with(Role.FINANCE, user_id=None, name="Rita")
BOUND = actor_with(Role.ADMIN, user_id=None, name="Bo", customer_id=1)


def apply(sessions, *, now=LATER) -> int:
    return inbox.apply_due(sessions, Mode.TEST, now_of=lambda: now)


def test_an_event_is_kept_once(sessions):
    told = Paying().succeeded()
    with sessions.begin() as session:
        assert store(session, told, now=LATER) is True
        assert store(session, told, now=LATER) is False
    row = became(sessions, told)
    assert (row.payload.encode(), row.livemode, row.api_version) == (payload(told), False, "2026-10-28.endive")
    assert (row.state, row.received_at, row.created_at.hour) == (WebhookState.WAITING, LATER, 12)


@pytest.mark.parametrize(
    "wrong", [{"created": "yesterday"}, {"created": 10**18}, {"created": None}, {"id": ""}, {"id": "e" * 256}]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_event_is_refused(sessions, wrong):
    with sessions.begin() as session, pytest.raises(Invalid, match="malformed"):
        store(session, event("charge.succeeded", {}) | wrong, now=LATER)


def test_a_failing_event_is_tried_again_and_then_given_up_and_leaves_nothing(sessions, monkeypatch):
    """Whatever it had changed before it failed is not there."""
    with sessions.begin() as session:
        invoice, link = linked(session)
    told, judge = paying(link, invoice).succeeded(), handlers._judge
    with sessions.begin() as session:
        store(session, told, now=LATER)

    def broken(*_):
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(handlers, "_judge", broken)
    now = LATER
    for wait_after in WAITS:
        assert apply(sessions, now=now) == 1
        row = became(sessions, told)
        assert row.state is WebhookState.WAITING
        assert row.not_before - now == wait_after
        assert row.last_error.startswith("Something went wrong on our side. Reference ")
        assert apply(sessions, now=row.not_before - timedelta(seconds=1)) == 0
        now = row.not_before
    assert apply(sessions, now=now) == 1
    row = became(sessions, told)
    assert (row.state, row.attempts) == (WebhookState.FAILED, len(WAITS) + 1)
    with sessions() as session:
        assert session.scalars(select(Payment)).all() == []
        (shown,) = figures.page(session, SYSTEM, attention.FAILED_EVENTS, Scope())
        assert shown.id == row.id
        assert figures.count(session, SYSTEM, attention.FAILED_EVENTS, Scope(customer_id=invoice.customer_id)) == 0

    monkeypatch.setattr(handlers, "_judge", judge)
    with sessions.begin() as session:
        inbox.process_again(session, ADMIN, row.id, now=now)
    assert apply(sessions, now=now) == 1
    row = became(sessions, told)
    assert (row.state, row.outcome, row.last_error) == (WebhookState.HANDLED, "100.00 EUR paid the invoice", "")
    with sessions.begin() as session, pytest.raises(Conflict):
        inbox.process_again(session, ADMIN, row.id, now=now)


def test_what_comes_at_the_same_moment_is_stored_whole_or_refused_whole(sessions, monkeypatch):
    """Twenty events, each of them by two threads at once; and none is answered for that was not stored."""
    told = [Paying().succeeded() for _ in range(20)] * 2
    commits, begin = GroupCommit(), sessions.begin

    def store_one(one) -> str:
        try:
            commits.store(sessions, one, payload(one), now=LATER)
        except OperationalError:
            return "refused"
        return "stored"

    def full():
        raise OperationalError("BEGIN", {}, Exception("database is locked"))

    with ThreadPoolExecutor(8) as pool:
        monkeypatch.setattr(sessions, "begin", full)
        assert set(pool.map(store_one, told)) == {"refused"}
        monkeypatch.setattr(sessions, "begin", begin)
        assert set(pool.map(store_one, told)) == {"stored"}
    with sessions() as session:
        kept = session.scalars(select(WebhookEvent.event_id)).all()
    assert sorted(kept) == sorted({one["id"] for one in told})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_shape_that_no_such_event_has_fails_with_its_reason(sessions):
    told = event("payment_intent.succeeded", {"id": "pi_1", "metadata": {"link_id": "lnk_1"}})
    tell(sessions, told)
    row = became(sessions, told)
    assert row.state is WebhookState.FAILED
    reason = "The event does not have the shape of a payment_intent.succeeded: “amount_received” is no amount"
    assert row.last_error == reason


def test_several_workers_apply_each_event_once(sessions):
    with sessions.begin() as session:
        for number in range(6):
            invoice, link = linked(session, ref=f"C{number}")
            payment = paying(link, invoice)
            for told in (payment.succeeded(), payment.completed(), payment.charged()):
                store(session, told, now=LATER)
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: apply(sessions), range(4)))
    # On PostgreSQL a worker goes home when the others hold what is left.
    applied.append(apply(sessions))
    assert sum(applied) == 18
    with sessions() as session:
        assert accounts(session) == {"cash": 60_000, "revenue": -60_000}


def test_the_log_is_found_by_state_type_and_text(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
    payment, strange = paying(link, invoice), Paying().expired()
    paid = payment.succeeded()
    tell(sessions, paid, payment.completed(), strange)

    def found(**wanted) -> list[str]:
        with sessions() as session:
            rows = queries.events(session, READER, EventFilter(**wanted))
            assert len(rows) == queries.event_count(session, READER, EventFilter(**wanted))
            return [row.event_id for row in rows]

    assert len(found()) == 3
    assert found(state=(WebhookState.IGNORED,)) == found(type="checkout.session.expired") == [strange["id"]]
    assert found(text=paid["id"]) == found(text="PAID THE INVOICE") == found(type=paid["type"]) == [paid["id"]]
    assert len(found(text=payment.charge_id)) == 1
    assert len(found(invoice_id=invoice.id)) == 2
    with sessions() as session:
        row, told = queries.event(session, READER, became(sessions, paid).id)
        assert (row.invoice_number, told.encode()) == (invoice.number, payload(paid))
        assert queries.event_counts(session, READER)[WebhookState.HANDLED] == 2
        assert queries.last_received_at(session, READER) == LATER
        for denied in (queries.events, queries.event_count):
            with pytest.raises(Forbidden):
                denied(session, BOUND, EventFilter())
        with pytest.raises(NotFound):
            queries.event(session, READER, 10**6)
    with sessions.begin() as session, pytest.raises(Forbidden):
        inbox.process_again(session, READER, row.id, now=LATER)


def test_refusals_are_counted_by_day_and_reason(sessions):
    refusals = Refusals()
    for _ in range(2):
        for reason in ("wrong", "wrong", "old"):
            refusals.note(reason, now=LATER)
        refusals.write(sessions)
    refusals.write(sessions)
    day = LATER.date()
    with sessions() as session:
        assert queries.refused(session, READER, since=day) == [(day, "old", 2), (day, "wrong", 4)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_about_others_is_not_shown_to_one_customer(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session)
    payment = paying(link, invoice, amount=4_000)
    tell(sessions, payment.succeeded(), payment.disputed())
    wait(sessions)
    other = actor_with(Role.ADMIN, user_id=None, name="Bo", customer_id=invoice.customer_id + 1)
    with sessions() as session:
        for actor, there in ((READER, 1), (other, 0)):
            assert len(queries.cases(session, actor)) == queries.case_count(session, actor) == there
            assert len(queries.disputes(session, actor)) == there
            assert len(queries.cases_of_invoice(session, actor, invoice.id)) == there
            scope = Scope(customer_id=actor.customer_id)
            assert [figures.count(session, SYSTEM, one, scope) for one in attention.OF_PAYMENTS] == [there, there]
        assert session.scalars(select(WebhookEvent.invoice_id).distinct()).all() == [invoice.id]
