"""The outbox: once, later, never; claimed, tried again, given up, taken back."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden, NotFound, UpstreamFailed
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.outbox import delivery, queries, service
from billing_core.outbox.delivery import LEASE, MARK_AGAIN, WAITS, Refused, Unwanted, deliver_due
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outbox.queries import MessageFilter
from tests.at_once import at_once
from tests.outbox.post_office import a_message

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
GRACE = actor_with(Role.ADMIN, user_id=None, name="Grace Hopper")
READER = actor_with(Role.FINANCE, user_id=None, name="Rita Reader")
AWAY = UpstreamFailed("The mail server is away")


def put(sessions, *messages, **facts) -> list[int]:
    with sessions.begin() as session:
        return service.put_many(session, SYSTEM, messages, now=NOW, **facts)


def deliver(sessions, adapter=None, *, at=NOW, **options):
    adapters = {"mail": adapter} if adapter else {}
    return deliver_due(sessions, adapters, now_of=lambda: at, chance=lambda: 0.5, **options)


def stored(sessions, message_id) -> OutboxMessage:
    with sessions() as session:
        return session.get_one(OutboxMessage, message_id)


def failing(error):
    def adapter(_message):
        raise error

    return adapter


def test_a_message_is_delivered_once_and_its_witness_sees_it_in_the_same_transaction(sessions):
    (message_id,) = put(sessions, a_message())
    got, seen = [], []

    outcome = deliver(
        sessions, got.append, delivered=lambda session, message, at, to: seen.append((message.id, at, to))
    )
    deliver(sessions, got.append)

    assert ([message.key for message in got], seen, outcome.delivered) == (
        ["k1"],
        [(message_id, NOW, ("ap@acme.example",))],
        1,
    )
    message = stored(sessions, message_id)
    assert (message.state, message.delivered_at, message.attempts) == (MessageState.DELIVERED, NOW, 1)


def test_the_same_key_is_the_same_message(sessions):
    first, second = put(sessions, a_message("a"), a_message("b"))
    assert put(sessions, a_message("b"), a_message("c"), a_message("a"))[::2] == [second, first]
    got = []
    deliver(sessions, got.append)
    assert Counter(message.key for message in got) == {"a": 1, "b": 1, "c": 1}


def test_what_is_rolled_back_never_leaves(sessions):
    with sessions.begin() as session:
        service.put(session, SYSTEM, a_message(), now=NOW)
        session.rollback()
    assert deliver(sessions, pytest.fail).total == 0


def test_nothing_leaves_before_its_time(sessions):
    put(sessions, a_message(), not_before=NOW + timedelta(seconds=60))
    assert deliver(sessions, pytest.fail, at=NOW + timedelta(seconds=59)).total == 0
    assert deliver(sessions, lambda _: None, at=NOW + timedelta(seconds=60)).delivered == 1


def test_a_failure_is_tried_again_later_and_later_and_then_given_up(sessions):
    (message_id,) = put(sessions, a_message())
    at = NOW
    for wait in WAITS:
        assert deliver(sessions, failing(AWAY), at=at).postponed == 1
        message = stored(sessions, message_id)
        assert (message.state, message.last_error) == (MessageState.WAITING, "The mail server is away")
        assert message.not_before == at + wait * 1.1  # chance 0.5 of up to a fifth more
        assert deliver(sessions, pytest.fail, at=message.not_before - timedelta(seconds=1)).total == 0
        at = message.not_before
    assert deliver(sessions, failing(AWAY), at=at).failed == 1
    assert stored(sessions, message_id).state is MessageState.FAILED
    assert deliver(sessions, pytest.fail, at=at + timedelta(days=30)).total == 0


def test_a_message_that_ends_its_process_each_time_is_given_up_after_its_tries(sessions):
    (message_id,) = put(sessions, a_message())
    at = NOW
    for _ in range(len(WAITS) + 1):
        with pytest.raises(KeyboardInterrupt):  # as a process that is killed: nothing catches it
            deliver(sessions, failing(KeyboardInterrupt()), at=at)
        at += LEASE
    assert deliver(sessions, pytest.fail, at=at).failed == 1
    message = stored(sessions, message_id)
    assert (message.state, message.attempts) == (MessageState.FAILED, len(WAITS) + 1)
    assert "The process ended" in message.last_error
    with sessions.begin() as session:
        service.retry(session, GRACE, [message_id], now=at)
    assert deliver(sessions, lambda _: None, at=at).delivered == 1


def test_what_has_left_is_marked_though_the_database_was_busy(sessions):
    (message_id,) = put(sessions, a_message())
    busy = iter([True, True, False])
    seen, waited = [], []

    def witness(_session, message, _at, _to):
        if next(busy):
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        seen.append(message.id)

    got = []
    assert deliver(sessions, got.append, delivered=witness, pause=waited.append).delivered == 1
    assert (len(got), seen, waited) == (1, [message_id], list(MARK_AGAIN[:2]))
    assert stored(sessions, message_id).state is MessageState.DELIVERED


def test_a_bug_in_the_witness_sends_nothing_twice(sessions):
    (message_id,) = put(sessions, a_message())

    def witness(_session, _message, _at, _to):
        raise RuntimeError("a bug")

    assert deliver(sessions, lambda _: None, delivered=witness).delivered == 1
    assert stored(sessions, message_id).state is MessageState.DELIVERED


def test_a_refusal_is_final_until_somebody_tries_again(sessions):
    (message_id,) = put(sessions, a_message())
    assert deliver(sessions, failing(Refused("550 unknown"))).failed == 1
    assert stored(sessions, message_id).last_error == "550 unknown"

    later = NOW + timedelta(days=1)
    with sessions.begin() as session:
        assert service.retry(session, GRACE, [message_id], now=later) == 1
    assert deliver(sessions, lambda _: None, at=later).delivered == 1
    assert stored(sessions, message_id).last_error == ""
    with pytest.raises(Conflict), sessions.begin() as session:
        service.retry(session, GRACE, [message_id], now=later)


def test_without_anything_to_deliver_it_with_a_message_is_held_back_until_somebody_releases_it(sessions):
    (message_id,) = put(sessions, a_message())
    assert deliver(sessions).held_back == 1
    assert deliver(sessions, pytest.fail, at=NOW + timedelta(weeks=5)).total == 0
    with sessions.begin() as session:
        assert service.release(session, GRACE, [message_id], now=NOW) == 1
    assert deliver(sessions, lambda _: None).delivered == 1


def test_what_is_not_wanted_any_more_says_why(sessions):
    (message_id,) = put(sessions, a_message())
    assert deliver(sessions, failing(Unwanted("The invoice is paid in the meantime"))).unwanted == 1
    message = stored(sessions, message_id)
    assert (message.state, message.last_error) == (MessageState.RECALLED, "The invoice is paid in the meantime")


def test_a_message_is_recalled_before_its_first_try_and_never_after(sessions):
    waiting, tried = put(sessions, a_message("a"), a_message("b"), not_before=NOW + timedelta(seconds=60))
    with sessions.begin() as session:
        session.execute(update(OutboxMessage).where(OutboxMessage.id == tried).values(attempts=1))
    with sessions.begin() as session:
        assert service.recall(session, GRACE, [waiting, tried], now=NOW) == 1
    got = []
    deliver(sessions, got.append, at=NOW + timedelta(hours=1))
    assert [message.id for message in got] == [tried]
    with sessions() as session:
        traced = session.scalars(
            select(AuditEntry.subject_id).where(AuditEntry.action == "outbox.recall").order_by(AuditEntry.id)
        ).all()
    assert traced == [str(waiting)]


def test_a_bug_in_one_message_keeps_no_other_and_tells_nobody_its_details(sessions):
    first, _ = put(sessions, a_message("a"), a_message("b"))

    def adapter(message):
        if message.key == "a":
            raise RuntimeError("a secret detail")

    outcome = deliver(sessions, adapter)
    assert (outcome.delivered, outcome.postponed) == (1, 1)
    assert stored(sessions, first).last_error.startswith("Something went wrong on our side. Reference ")


def test_what_a_dead_process_had_claimed_is_taken_again_when_its_claim_has_run_out(sessions):
    put(sessions, a_message())

    class Killed(BaseException):
        pass

    with pytest.raises(Killed):
        deliver(sessions, failing(Killed()))
    assert deliver(sessions, pytest.fail, at=NOW + LEASE - timedelta(seconds=1)).total == 0
    assert deliver(sessions, lambda _: None, at=NOW + LEASE).delivered == 1


def test_a_slow_process_does_not_undo_what_another_has_marked_since(sessions):
    (message_id,) = put(sessions, a_message())

    def slow(_message):
        assert deliver(sessions, lambda _: None, at=NOW + LEASE).delivered == 1
        raise AWAY

    deliver(sessions, slow)
    assert stored(sessions, message_id).state is MessageState.DELIVERED


def test_two_processes_at_once_deliver_each_message_once(sessions):
    put(sessions, *(a_message(f"k{n}") for n in range(20)))
    got = []
    at_once(*[lambda: deliver(sessions, lambda message: got.append(message.key))] * 2)
    assert Counter(got) == {f"k{n}": 1 for n in range(20)}


def test_the_process_ends_between_two_messages(sessions):
    put(sessions, a_message("a"), a_message("b"))
    got = []
    deliver(sessions, got.append, ending=lambda: bool(got))
    assert len(got) == 1
    with sessions() as session:
        assert delivery.something_due(session, now=NOW)


def test_the_list_finds_messages_by_state_topic_text_and_subject(sessions):
    first, second = put(
        sessions,
        a_message("a", "ana@one.example"),
        a_message("b", "bob@two.example", subject=("invoice", 2), topic="x"),
    )
    deliver(sessions, failing(Refused("550 unknown")), limit=1)

    def found(**wanted):
        with sessions() as session:
            rows = queries.page(session, READER, MessageFilter(**wanted))
            assert queries.count(session, READER, MessageFilter(**wanted)) == len(rows)
            return [row.id for row in rows]

    assert found() == [second, first]
    assert found(state=(MessageState.FAILED,)) == [first]
    assert found(topic=("x",)) == [second]
    assert found(text="ONE.example") == [first]
    assert found(text="subject B") == [second]
    assert found(subject=("invoice", 2)) == [second]
    with sessions() as session:
        assert queries.counts(session, READER) == {MessageState.FAILED: 1, MessageState.WAITING: 1}


def test_who_may_what(sessions):
    (message_id,) = put(sessions, a_message())
    bound = actor_with(Role.ADMIN, user_id=None, name="Bo", customer_id=1)
    with sessions() as session:
        assert queries.one(session, READER, message_id).recipient == "ap@acme.example"
        for forbidden in (queries.page, queries.count):
            with pytest.raises(Forbidden):
                forbidden(session, bound, MessageFilter())
        for verb in (service.recall, service.retry, service.release):
            with pytest.raises(Forbidden):
                verb(session, READER, [message_id], now=NOW)
        with pytest.raises(NotFound):
            queries.one(session, READER, 99)
