"""The digest of a day: what it is made of, and that neither order nor detours change it."""

from datetime import date
from hashlib import sha256

import pytest
from sqlalchemy import delete, update

from billing_core.dates import Period
from billing_core.errors import Forbidden, NotFound
from billing_core.identity import SYSTEM, Actor, Permission
from billing_core.metering import digests, withdrawal
from billing_core.metering.digests import DayDigest
from billing_core.metering.models import UsageDigest, UsageEventKey
from tests.invoices.company import a_customer
from tests.metering.used import NOW, an_event, record, wrong_in

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture
def acme(sessions) -> int:
    with sessions.begin() as session:
        return a_customer(session, time_zone="America/New_York")


def found(sessions, customer_id: int, actor: Actor = SYSTEM, period: Period = MARCH) -> list[DayDigest]:
    with sessions() as session:
        return digests.of_days(session, actor, customer_id, period)


def by_hand(*contents: str) -> str:
    """The first 16 bytes of each content's SHA-256, added by words of 4 bytes, without what overflows."""
    words = [0, 0, 0, 0]
    for content in contents:
        first = sha256(content.encode()).digest()[:16]
        words = [(word + int.from_bytes(first[4 * at :][:4])) % 2**32 for at, word in enumerate(words)]
    return "".join(f"{word:08x}" for word in words)


def content(event_id: str, time: str, user: str = "") -> str:
    return f'["{event_id}","{time}+00:00","api_calls","{user}","",null,"1","{{}}"]'


ONE = content("1", "2026-03-10T10:00:00.000000", "ana")
TWO = content("2", "2026-03-10T23:59:59.999999")
THREE = content("3", "2026-03-11T00:00:00.000000")


def told(*names: str) -> list[dict[str, object]]:
    events = {
        "1": an_event("1", user="ana"),
        "2": an_event("2", time="2026-03-10T23:59:59.999999Z"),
        "3": an_event("3", time="2026-03-11T00:00:00Z"),
    }
    return [events[name] for name in names]


def test_it_is_the_sum_of_the_digests_of_the_utc_days_events(sessions, acme):
    record(sessions, *told("1", "2", "3"))
    assert found(sessions, acme) == [
        DayDigest(date(2026, 3, 10), 2, by_hand(ONE, TWO)),
        DayDigest(date(2026, 3, 11), 1, by_hand(THREE)),
    ]
    assert found(sessions, acme, period=Period(date(2026, 3, 11), date(2026, 3, 12))) == [
        DayDigest(date(2026, 3, 11), 1, by_hand(THREE))
    ]


def test_neither_order_nor_repeats_nor_withdrawn_events_change_it(sessions, acme):
    for batch in (told("2"), told("3", "1"), told("1", "2")):
        record(sessions, *batch)
    record(sessions, an_event("4", user="ben"), an_event("5", time="2026-03-12T10:00:00Z"))
    with sessions.begin() as session:
        for event_id in ("4", "5"):
            withdrawal.withdraw(session, SYSTEM, acme, event_id, reason="A test", now=NOW)
        assert wrong_in(session) == []
    assert found(sessions, acme) == [
        DayDigest(date(2026, 3, 10), 2, by_hand(ONE, TWO)),
        DayDigest(date(2026, 3, 11), 1, by_hand(THREE)),
    ]


def test_made_anew_it_is_the_same(sessions, acme):
    with sessions.begin() as session:
        other = a_customer(session, "OTHER")
    record(sessions, *told("1", "2", "3"), an_event("9", customer_ref="OTHER"))
    before = found(sessions, acme), found(sessions, other)
    for chosen in ([acme], None):
        with sessions.begin() as session:
            session.execute(update(UsageDigest).where(UsageDigest.customer_id == acme).values(word_2=7))
            digests.rebuild(session, chosen)
        assert (found(sessions, acme), found(sessions, other)) == before
    with sessions.begin() as session:
        session.execute(delete(UsageDigest))
        digests.rebuild(session)
    assert (found(sessions, acme), found(sessions, other)) == before


def test_words_that_overflow_are_kept_whole_and_shown_without(sessions, acme):
    record(sessions, *told("1", "2"))
    with sessions.begin() as session:
        # Not what the events come to, but as large as words can be.
        session.execute(update(UsageEventKey).values(digest="f" * 64))
        digests.rebuild(session)
    # 2 × (2^32 - 1) = 2^33 - 2, of which the last 32 bits are 2^32 - 2.
    assert found(sessions, acme) == [DayDigest(date(2026, 3, 10), 2, "fffffffe" * 4)]
    with sessions.begin() as session:
        withdrawal.withdraw(session, SYSTEM, acme, "1", reason="A test", now=NOW)
    assert found(sessions, acme) == [DayDigest(date(2026, 3, 10), 1, "ffffffff" * 4)]


def test_whoever_may_not_read_usage_or_is_another_customer_learns_nothing(sessions, acme):
    record(sessions, *told("1"))
    with pytest.raises(Forbidden):
        found(sessions, acme, Actor(1, "None", frozenset()))
    with pytest.raises(NotFound):
        found(sessions, acme, Actor(1, "Other", frozenset(Permission), acme + 1))
    assert found(sessions, acme, Actor(1, "Own", frozenset(Permission), acme))
