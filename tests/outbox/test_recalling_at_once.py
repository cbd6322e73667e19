"""Messages are recalled while they leave: each has either left or was recalled, and whoever recalls is told which."""

from datetime import UTC, datetime

from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.outbox import service
from billing_core.outbox.delivery import deliver_due
from billing_core.outbox.models import MessageState, OutboxMessage
from tests.at_once import at_once
from tests.outbox.post_office import a_message

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def recalled(sessions, message_ids) -> int:
    with sessions.begin() as session:
        return service.recall(session, SYSTEM, message_ids, now=NOW)


def states(sessions) -> dict[str, MessageState]:
    with sessions() as session:
        return {row.key: row.state for row in session.execute(select(OutboxMessage.key, OutboxMessage.state))}


def test_a_message_that_is_on_its_way_is_not_recalled_and_the_next_one_is(sessions):
    with sessions.begin() as session:
        message_ids = service.put_many(session, SYSTEM, [a_message("a"), a_message("b")], now=NOW)
    told, left = [], []

    def adapter(message):
        left.append(message.key)
        told.append(recalled(sessions, message_ids))

    deliver_due(sessions, {"mail": adapter}, now_of=lambda: NOW)

    assert (left, told) == (["a"], [1])
    assert states(sessions) == {"a": MessageState.DELIVERED, "b": MessageState.RECALLED}


def test_recalling_and_delivering_at_once_agree_on_every_message(sessions):
    with sessions.begin() as session:
        message_ids = service.put_many(session, SYSTEM, [a_message(f"k{n}") for n in range(12)], now=NOW)
    left = []

    def deliver() -> None:
        deliver_due(sessions, {"mail": lambda message: left.append(message.key)}, now_of=lambda: NOW)

    def recall() -> int:
        # One by one, so that the two meet.
        return sum(recalled(sessions, [message_id]) for message_id in reversed(message_ids))

    _, count = at_once(deliver, recall)
    found = states(sessions)
    assert sorted(left) == sorted(key for key, state in found.items() if state is MessageState.DELIVERED)
    assert count == sum(state is MessageState.RECALLED for state in found.values()) == 12 - len(left)
