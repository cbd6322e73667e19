"""What people do about messages that wait, failed, or were held back."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.outbox import service
from billing_core.outbox.models import MessageState, OutboxMessage
from tests.outbox.post_office import a_message

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
GRACE = actor_with(Role.ADMIN, user_id=None, name="Grace Hopper")
READER = actor_with(Role.FINANCE, user_id=None, name="Rita Reader")
DELIVERED, FAILED, HELD_BACK = MessageState.DELIVERED, MessageState.FAILED, MessageState.HELD_BACK
RECALLED, WAITING = MessageState.RECALLED, MessageState.WAITING


@pytest.fixture
def stored(session):
    """One message of each state, by the state and the tries; and how they stand."""
    stands = [(state, tries) for state in MessageState for tries in (0, 1)]
    keys = [f"{state} {tries}" for state, tries in stands]
    put_in = service.put_many(session, SYSTEM, [a_message(key) for key in keys], now=NOW)
    for message_id, (state, tries) in zip(put_in, stands, strict=True):
        session.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(state=state, attempts=tries))
    return dict(zip(put_in, stands, strict=True))


def changed(session, stored) -> dict[tuple[MessageState, int], MessageState]:
    rows = session.execute(select(OutboxMessage.id, OutboxMessage.state))
    return {stored[row.id]: row.state for row in rows if row.state is not stored[row.id][0]}


def traced(session) -> set[tuple[str, str]]:
    rows = session.execute(select(AuditEntry.action, AuditEntry.actor_name).order_by(AuditEntry.id))
    return {tuple(row) for row in rows}


def test_retrying_moves_what_failed_and_what_waits_for_another_try(session, stored):
    assert service.retry(session, GRACE, [*stored], now=LATER) == 3
    assert changed(session, stored) == {(FAILED, 0): WAITING, (FAILED, 1): WAITING}
    due = select(OutboxMessage.id).where(OutboxMessage.not_before == LATER)
    assert {stored[message_id] for message_id in session.scalars(due)} == {(FAILED, 0), (FAILED, 1), (WAITING, 1)}
    assert traced(session) == {("outbox.retry", "Grace Hopper")}


def test_only_what_was_asked_for_is_retried_and_nothing_to_retry_is_a_conflict(session, stored):
    by_stand = {stand: message_id for message_id, stand in stored.items()}
    assert service.retry(session, GRACE, [by_stand[FAILED, 1]], now=LATER) == 1
    assert changed(session, stored) == {(FAILED, 1): WAITING}
    for stand in ((WAITING, 0), (DELIVERED, 1), (RECALLED, 0), (HELD_BACK, 1)):
        with pytest.raises(Conflict):
            service.retry(session, GRACE, [by_stand[stand]], now=LATER)


@pytest.mark.parametrize(("until", "retried"), [(LATER + timedelta(seconds=1), False), (LATER, True), (None, True)])
def test_what_is_being_delivered_is_not_retried(session, until, retried):
    message_id = service.put(session, SYSTEM, a_message(), now=NOW)
    session.execute(update(OutboxMessage).values(attempts=1, claimed_until=until))
    if not retried:
        with pytest.raises(Conflict):
            service.retry(session, GRACE, [message_id], now=LATER)
        return
    assert service.retry(session, GRACE, [message_id], now=LATER) == 1
    row = session.execute(select(OutboxMessage.claimed_until, OutboxMessage.not_before)).one()
    assert tuple(row) == (None, LATER)


def test_releasing_moves_what_was_held_back(session, stored):
    assert service.release(session, GRACE, [*stored], now=LATER) == 2
    assert changed(session, stored) == {(HELD_BACK, 0): WAITING, (HELD_BACK, 1): WAITING}
    due = select(OutboxMessage.id).where(OutboxMessage.not_before == LATER)
    assert {stored[message_id] for message_id in session.scalars(due)} == {(HELD_BACK, 0), (HELD_BACK, 1)}


def test_recalling_moves_what_nobody_has_tried(session, stored):
    assert service.recall(session, GRACE, [*stored], now=LATER) == 2
    assert changed(session, stored) == {(WAITING, 0): RECALLED, (HELD_BACK, 0): RECALLED}
    assert set(session.scalars(select(OutboxMessage.not_before))) == {NOW}


def test_laying_aside_moves_what_failed(session, stored):
    assert service.lay_aside(session, GRACE, [*stored], now=LATER) == 2
    assert changed(session, stored) == {(FAILED, 0): RECALLED, (FAILED, 1): RECALLED}
    entries = session.execute(
        select(AuditEntry.subject_kind, AuditEntry.subject_id, AuditEntry.subject_label).order_by(AuditEntry.id)
    ).all()
    expected = {("message", str(key), f"Subject {stored[key][0]} {stored[key][1]}") for key in stored}
    assert {tuple(entry) for entry in entries} < expected
    assert traced(session) == {("outbox.lay_aside", "Grace Hopper")}
    with pytest.raises(Forbidden):
        service.lay_aside(session, READER, [*stored], now=LATER)


def test_a_message_is_stored_as_it_was_put_in(session):
    message_id = service.put(
        session, GRACE, a_message("a", title="T" * 501, subject=("invoice", 7)), now=NOW, not_before=LATER
    )
    row = session.get_one(OutboxMessage, message_id)
    assert (row.title, row.subject_kind, row.subject_id) == ("T" * 500, "invoice", "7")
    assert (row.state, row.attempts, row.not_before, row.created_at) == (WAITING, 0, LATER, NOW)
    assert (row.created_by_id, row.created_by, row.last_error) == (None, "Grace Hopper", "")


def test_however_many_are_put_in_their_ids_come_in_order(session):
    keys = [f"k{number}" for number in range(1001)]
    put_in = service.put_many(session, SYSTEM, [a_message(key) for key in keys], now=NOW)
    assert put_in == session.scalars(select(OutboxMessage.id).order_by(OutboxMessage.id)).all()
    stored = dict(session.execute(select(OutboxMessage.id, OutboxMessage.key)).all())
    assert [stored[message_id] for message_id in put_in] == keys
    assert service.put_many(session, SYSTEM, [], now=NOW) == []
