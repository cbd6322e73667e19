"""Turns of delivery: how long until the next try, whose turn it is, what is said of a try, what a dead process held."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError

from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.outbox import delivery, service
from billing_core.outbox.delivery import Outcome, Refused, Unwanted, deliver_all, deliver_due
from billing_core.outbox.models import MessageState, OutboxMessage
from tests.outbox.post_office import a_message

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
MAILS = OutboxMessage.channel == "mail"


def put(sessions, *messages, **facts) -> list[int]:
    with sessions.begin() as session:
        return service.put_many(session, SYSTEM, messages, **{"now": NOW, **facts})


def deliver(sessions, adapters, *, at=NOW, **options) -> Outcome:
    return deliver_due(sessions, adapters, now_of=lambda: at, **{"chance": lambda: 0, **options})


def refusing(error):
    def adapter(_message):
        raise error

    return adapter


def stored(sessions, message_id) -> OutboxMessage:
    with sessions() as session:
        return session.get_one(OutboxMessage, message_id)


def due(sessions, *, at=NOW, **options) -> bool:
    with sessions() as session:
        return delivery.something_due(session, now=at, **options)


def test_there_are_seven_tries_in_a_little_more_than_nineteen_hours(sessions):
    (message_id,) = put(sessions, a_message())
    at, tries = NOW, []
    for _ in range(7):
        tries.append(at - NOW)
        deliver(sessions, {"mail": refusing(UpstreamFailed("away"))}, at=at)
        at = stored(sessions, message_id).not_before
    assert tries == [0 * MINUTE, MINUTE, 6 * MINUTE, 21 * MINUTE, 81 * MINUTE, 441 * MINUTE, 1161 * MINUTE]
    assert stored(sessions, message_id).state is MessageState.FAILED


@pytest.mark.parametrize(("chance", "seconds"), [(0, 60), (0.5, 66), (1, 72)])
def test_tries_are_spread_by_up_to_a_fifth(sessions, chance, seconds):
    (message_id,) = put(sessions, a_message())
    deliver(sessions, {"mail": refusing(UpstreamFailed("away"))}, chance=lambda: chance)
    assert stored(sessions, message_id).not_before == NOW + seconds * SECOND


@pytest.mark.parametrize("error", [Refused, Unwanted, UpstreamFailed])
def test_of_a_long_explanation_the_beginning_is_kept(sessions, error):
    (message_id,) = put(sessions, a_message())
    deliver(sessions, {"mail": refusing(error("x" * 501))})
    assert stored(sessions, message_id).last_error == "x" * 500


def test_a_bug_is_told_by_its_reference_alone(sessions):
    (message_id,) = put(sessions, a_message())
    assert deliver(sessions, {"mail": refusing(RuntimeError("a secret"))}).postponed == 1
    told = stored(sessions, message_id).last_error
    assert re.fullmatch(r"Something went wrong on our side\. Reference [0-9a-f]{8}", told)


def test_a_claim_lasts_a_quarter_of_an_hour(sessions):
    (message_id,) = put(sessions, a_message())
    claimed = []

    def adapter(message):
        claimed.append((message.claimed_until, message.attempts))
        assert not due(sessions, at=NOW + 15 * MINUTE - SECOND)
        assert due(sessions, at=NOW + 15 * MINUTE)

    deliver(sessions, {"mail": adapter})
    assert claimed == [(NOW + 15 * MINUTE, 1)]
    assert stored(sessions, message_id).claimed_until is None


def test_a_mark_is_tried_for_as_long_as_the_claim_lasts_and_then_given_up(sessions):
    put(sessions, a_message())
    waited = []

    def busy(_session, _message, _at, _to):
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    with pytest.raises(OperationalError):
        deliver(sessions, {"mail": lambda _: None}, delivered=busy, pause=waited.append)
    assert waited == [1, 5, 15, 60, 120]
    assert timedelta(seconds=sum(waited)) < delivery.LEASE


def test_a_bug_that_is_not_the_witnesss_is_not_hidden():
    class Broken:
        def begin(self):
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        delivery._mark_delivered(Broken(), OutboxMessage(id=1), None, NOW, pytest.fail, {}, ())


def test_the_one_that_is_due_the_longest_comes_first(sessions):
    put(sessions, a_message("a"), a_message("b"), not_before=NOW)
    put(sessions, a_message("c"), not_before=NOW - SECOND)
    put(sessions, a_message("d"), not_before=NOW + SECOND)
    got = []
    outcome = deliver(sessions, {"mail": lambda message: got.append(message.key)}, limit=2)
    assert (got, outcome.delivered, due(sessions)) == (["c", "a"], 2, True)
    deliver(sessions, {"mail": lambda message: got.append(message.key)})
    assert (got, due(sessions), due(sessions, at=NOW + SECOND)) == (["c", "a", "b"], False, True)


def test_an_outcome_counts_everything_that_was_handled():
    assert Outcome(delivered=1, postponed=2, failed=4, unwanted=8, held_back=16).total == 31
    assert Outcome().total == 0


def test_only_its_own_queue_is_delivered_held_back_or_given_up(sessions):
    mail, webhook = put(sessions, a_message("a"), a_message("b", channel="webhook"))
    assert deliver(sessions, {}, queue=OutboxMessage.channel == "gateway").total == 0
    assert deliver(sessions, {}, queue=MAILS) == Outcome(held_back=1)
    assert deliver(sessions, {"webhook": pytest.fail}, queue=MAILS).total == 0
    states = {mail: MessageState.HELD_BACK, webhook: MessageState.WAITING}
    assert {message_id: stored(sessions, message_id).state for message_id in states} == states
    assert (due(sessions), due(sessions, queue=MAILS)) == (True, False)

    with sessions.begin() as session:
        session.execute(update(OutboxMessage).values(attempts=7, claimed_until=NOW))
    assert deliver(sessions, {"mail": pytest.fail}, queue=MAILS).failed == 0
    assert deliver(sessions, {"webhook": pytest.fail}) == Outcome(failed=1)
    assert stored(sessions, webhook).state is MessageState.FAILED


@pytest.mark.parametrize(
    ("attempts", "claimed_until", "given_up"),
    [(7, NOW, True), (8, NOW, True), (6, NOW, False), (7, None, False), (7, NOW + SECOND, False)],
)
def test_given_up_is_what_ended_its_process_at_the_last_of_seven_tries(sessions, attempts, claimed_until, given_up):
    (message_id,) = put(sessions, a_message())
    with sessions.begin() as session:
        session.execute(update(OutboxMessage).values(attempts=attempts, claimed_until=claimed_until))
    assert deliver(sessions, {"mail": lambda _: None}).failed == given_up
    row = stored(sessions, message_id)
    assert (row.state is MessageState.FAILED, "It may have left" in row.last_error) == (given_up, given_up)


def test_one_turn_follows_the_other_until_nothing_in_the_queue_is_due(sessions):
    put(sessions, *(a_message(f"k{number}") for number in range(3)), now=utc_now())
    put(sessions, a_message("webhook", channel="webhook"), now=utc_now())
    put(sessions, a_message("tomorrow"), now=utc_now(), not_before=utc_now() + timedelta(days=1))
    got = []

    def adapter(message):
        got.append(message.key)
        if message.key == "k2":
            put(sessions, a_message("put in meanwhile"), now=utc_now())

    assert deliver_all(sessions, {"mail": adapter}, queue=MAILS) == 4
    assert got == ["k0", "k1", "k2", "put in meanwhile"]
    assert deliver_all(sessions, {"mail": adapter}, queue=MAILS) == 0


@pytest.mark.parametrize(("goes_on", "handled"), [([], 0), ([False], 0), ([False, False], 1), ([False] * 3, 2)])
def test_no_further_message_is_begun_once_the_process_ends(sessions, goes_on, handled):
    put(sessions, *(a_message(f"k{number}") for number in range(3)), now=utc_now())
    asked = iter([*goes_on, True])
    got = []
    adapters = {"mail": lambda message: got.append(message.key)}
    assert deliver_all(sessions, adapters, queue=MAILS, ending=lambda: next(asked, True)) == handled == len(got)


def test_what_a_dead_process_was_delivering_is_due_at_once_and_nothing_else_of_it(sessions):
    first, second, third = put(sessions, a_message("a"), a_message("b", channel="gateway"), a_message("c"))

    class Killed(BaseException):
        pass

    everywhere = dict.fromkeys(("mail", "gateway"), refusing(Killed()))
    for process in ("app-1", "app-2"):
        with pytest.raises(Killed):
            deliver(sessions, everywhere, process_id=lambda claimed_by=process: claimed_by)
    with sessions.begin() as session:
        assert delivery.claimants(session) == {"app-1", "app-2"}
        assert delivery.free(session, ["app-3"]) == []
        assert delivery.free(session, ["app-2", "app-3"]) == [("app-2", "gateway")]
        assert delivery.free(session, ["app-2"]) == []
        assert delivery.claimants(session) == {"app-1"}
    with sessions() as session:
        rows = session.execute(select(OutboxMessage.id, OutboxMessage.claimed_until, OutboxMessage.attempts))
        assert {row.id: (row.claimed_until, row.attempts) for row in rows} == {
            first: (NOW + 15 * MINUTE, 1),
            second: (NOW, 1),
            third: (None, 0),
        }
    got = []
    deliver(sessions, dict.fromkeys(("mail", "gateway"), lambda message: got.append((message.id, message.attempts))))
    assert got == [(second, 2), (third, 1)]


def test_what_was_claimed_by_nobody_in_particular_or_has_left_has_no_claimant(sessions):
    put(sessions, a_message("a"), a_message("b"))
    seen = []

    def adapter(_message):
        with sessions() as session:
            seen.append(delivery.claimants(session))

    deliver(sessions, {"mail": adapter}, limit=1)
    deliver(sessions, {"mail": adapter}, process_id=lambda: "app-1")
    with sessions() as session:
        assert (seen, delivery.claimants(session)) == ([set(), {"app-1"}], set())


@pytest.fixture
def impatient(sessions):
    """Whoever waits for a lock gives up, so that waiting shows."""

    def give_up(connection):
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")

    event.listen(sessions.engine, "begin", give_up)
    yield
    event.remove(sessions.engine, "begin", give_up)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_message_that_somebody_has_locked_holds_up_no_other(sessions, impatient):
    first, second, third = put(sessions, a_message("a"), a_message("b"), a_message("c"))
    got = []
    with sessions.begin() as session:
        session.execute(select(OutboxMessage.id).where(OutboxMessage.id == first).with_for_update())
        deliver(sessions, {"mail": lambda message: got.append(message.id)})
    assert got == [second, third]
    with sessions.begin() as session:
        claim = {"state": MessageState.WAITING, "claimed_until": NOW + HOUR, "claimed_by": "app-1"}
        session.execute(update(OutboxMessage).values(claim))
    with sessions.begin() as session:
        session.execute(select(OutboxMessage.id).where(OutboxMessage.id == first).with_for_update())
        with sessions.begin() as other:
            assert len(delivery.free(other, ["app-1"])) == 2
