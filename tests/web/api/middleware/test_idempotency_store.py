"""What becomes of a repeated request, by what is stored of the first."""

import zlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import false, func, select, update

from billing_core.identity import idempotent
from billing_core.identity.idempotent import Claim, IdempotentRequest
from billing_core.web.api.middleware import idempotency_store
from billing_core.web.api.middleware.idempotency_store import ANOTHER, Refused, StoredAnswer

pytestmark = pytest.mark.sql

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ANSWER = StoredAnswer(201, {"content-type": "application/json"}, zlib.compress(b'{"made": 1}'))


def begin(session, *, at=NOW, caller="user:1", key="order-17", fingerprint="f"):
    return idempotency_store.begin(session, caller, key, fingerprint, now=at)


def because(refused: Refused) -> tuple[int, str]:
    return refused.status, refused.message.partition(",")[0].partition(".")[0]


UNDER_WAY = (409, "A request with this Idempotency-Key is still being carried out")
LOST = (409, "This request has been carried out")


def test_a_key_belongs_to_its_caller(session):
    first = begin(session)
    assert isinstance(first, Claim)
    others = [begin(session, caller="user:2"), begin(session, key="order-18")]
    assert len({first.request_id, *(one.request_id for one in others)}) == 3
    assert len({first.token, *(one.token for one in others)}) == 3
    assert (len(first.token), int(first.token, 16) >= 0) == (32, True)
    assert begin(session, fingerprint="g") == ANOTHER
    assert (ANOTHER.status, because(begin(session))) == (422, UNDER_WAY)


def test_an_answer_is_given_again_as_it_was_for_a_day(session):
    claim = begin(session)
    idempotent.mark_changed(session, claim, now=NOW)
    idempotency_store.finish(session, claim, ANSWER, status=201)
    again = StoredAnswer(201, {"content-type": "application/json"}, b'{"made": 1}')
    assert begin(session, at=NOW + timedelta(hours=24) - SECOND) == again
    assert isinstance(begin(session, at=NOW + timedelta(hours=24)), Claim)


def test_only_what_is_a_day_old_is_forgotten(session):
    for hours in (0, 1, 2):
        begin(session, at=NOW + timedelta(hours=hours), key=f"order-{hours}")
    begin(session, at=NOW + timedelta(hours=25), key="another")
    assert session.scalars(select(IdempotentRequest.key).order_by(IdempotentRequest.key)).all() == [
        "another",
        "order-2",
    ]


@pytest.mark.parametrize(("age", "taken_over"), [(15 * 60 - 1, False), (15 * 60, True)])
def test_what_nobody_finished_is_taken_over_after_a_quarter_of_an_hour(session, age, taken_over):
    first = begin(session)
    at = NOW + age * SECOND
    answer = begin(session, at=at)
    if not taken_over:
        assert because(answer) == UNDER_WAY
        return
    assert (answer.request_id, answer.token != first.token) == (first.request_id, True)
    assert because(begin(session, at=at)) == UNDER_WAY
    session.flush()
    assert not idempotency_store.forget(session, first)
    assert idempotency_store.forget(session, answer)


@pytest.mark.parametrize(("after", "told"), [(29, UNDER_WAY), (30, LOST), (3600, LOST)])
def test_what_was_done_and_not_answered_within_half_a_minute_is_not_done_again(session, after, told):
    claim = begin(session)
    idempotent.mark_changed(session, claim, now=NOW + SECOND)
    assert because(begin(session, at=NOW + (1 + after) * SECOND)) == told


def test_only_what_has_changed_nothing_is_forgotten(session):
    changed, unchanged = begin(session, key="a"), begin(session, key="b")
    idempotent.mark_changed(session, changed, now=NOW)
    assert not idempotency_store.forget(session, changed)
    assert idempotency_store.forget(session, unchanged)
    assert not idempotency_store.forget(session, unchanged)
    assert session.scalars(select(IdempotentRequest.key)).all() == ["a"]


def test_an_answer_too_large_to_keep_is_told_of(session):
    idempotency_store.finish(session, begin(session), None, status=200)
    told = begin(session)
    assert because(told) == LOST
    assert "too large to keep" in told.message


def test_what_was_read_of_it_before_is_read_again(session):
    claim = begin(session)
    known = session.get_one(IdempotentRequest, claim.request_id)
    assert known.status is None
    idempotency_store.finish(session, claim, ANSWER, status=201)
    assert isinstance(begin(session), StoredAnswer)


def test_one_that_ends_at_this_very_moment_is_asked_to_be_sent_again(session, monkeypatch):
    """Its row stands in the way of ours, and is gone before it can be read."""
    nothing = select(IdempotentRequest.id).where(false())
    monkeypatch.setattr(idempotency_store, "_BEGIN", dict.fromkeys(("sqlite", "postgresql"), nothing))
    assert because(begin(session)) == (409, "A request with this Idempotency-Key has just ended")
    assert session.scalar(select(func.count()).select_from(IdempotentRequest)) == 0


def test_whose_claim_is_gone_marks_nothing(session):
    claim = begin(session)
    session.execute(update(IdempotentRequest).values(claim="another's"))
    idempotency_store.finish(session, claim, ANSWER, status=201)
    assert session.scalars(select(IdempotentRequest.status)).one() is None
