"""Signed-in browsers: rotation, expiry, revocation."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from billing_core.identity import Permission, Role
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.models import UserSession
from billing_core.identity.sessions import Browser
from billing_core.settings import settings

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
IDLE = timedelta(minutes=settings().session_idle_minutes)
LONGEST = timedelta(hours=settings().session_max_hours)
BROWSER = Browser("203.0.113.7", "Firefox")


def start(session, user, **facts):
    token = browser_sessions.start(session, user.id, browser=BROWSER, **{"now": NOW, **facts})
    session.flush()
    return token


def test_a_token_opens_its_session(session, user):
    found = browser_sessions.find(session, start(session, user), now=NOW)
    assert (found.actor.user_id, found.role, found.email) == (user.id, Role.MANAGER, "ana@example.com")
    assert found.actor.may(Permission.REPORT_GENERATE)
    assert not found.actor.may(Permission.USER_MANAGE)


def test_only_the_hash_of_the_token_is_kept(session, user):
    token = start(session, user)
    kept = session.scalars(select(UserSession)).one()
    assert len(token) >= 43
    assert token not in repr(vars(kept))
    assert len(kept.token_hash) == 64


@pytest.mark.parametrize("token", ["", "x", "'; --", "\x00", "\ud800", "ä" * 500])
def test_other_tokens_open_nothing(session, user, token):
    start(session, user)
    assert browser_sessions.actor_for(session, token, now=NOW) is None


def test_every_sign_in_has_a_new_token_and_ends_the_browsers_old_session(session, user):
    first = start(session, user)
    second = start(session, user, replaces=first)
    assert first != second
    assert browser_sessions.actor_for(session, first, now=NOW) is None
    assert browser_sessions.actor_for(session, second, now=NOW) is not None


def test_an_unused_session_ends(session, user):
    token = start(session, user)
    assert browser_sessions.actor_for(session, token, now=NOW + IDLE - timedelta(seconds=1)) is not None
    assert browser_sessions.actor_for(session, token, now=NOW + IDLE) is None


def test_use_keeps_a_session_alive_until_its_longest(session, user):
    token, now = start(session, user), NOW
    identity = browser_sessions.find(session, token, now=now).session_id
    while now + IDLE / 2 < NOW + LONGEST:
        now += IDLE / 2
        assert browser_sessions.actor_for(session, token, now=now) is not None
        browser_sessions.seen(session, [identity], now=now)
    assert browser_sessions.actor_for(session, token, now=NOW + LONGEST) is None


def test_last_use_never_goes_back(session, user):
    token = start(session, user)
    identity = browser_sessions.find(session, token, now=NOW).session_id
    browser_sessions.seen(session, [identity], now=NOW - timedelta(hours=1))
    assert session.scalars(select(UserSession.last_seen_at)).one() == NOW


def test_a_revoked_session_is_dead_at_once(session, user):
    token = start(session, user)
    browser_sessions.end(session, token, now=NOW)
    assert browser_sessions.actor_for(session, token, now=NOW) is None


def test_a_deactivated_account_has_no_session(session, user):
    token = start(session, user)
    user.active = False
    session.flush()
    assert browser_sessions.actor_for(session, token, now=NOW) is None


def test_a_changed_role_holds_at_once(session, user):
    token = start(session, user)
    user.role = Role.FINANCE
    session.flush()
    assert not browser_sessions.actor_for(session, token, now=NOW).may(Permission.EXPORT)


def test_one_session_of_somebody_else_cannot_be_ended_through_a_person(session, user):
    token = start(session, user)
    identity = browser_sessions.find(session, token, now=NOW).session_id
    assert browser_sessions.end_one(session, user.id + 1, identity, now=NOW) is False
    assert browser_sessions.end_one(session, user.id, identity, now=NOW) is True
    assert browser_sessions.end_one(session, user.id, identity, now=NOW) is False


def test_open_sessions_are_listed_by_last_use(session, user):
    start(session, user, now=NOW - timedelta(hours=1))
    start(session, user)
    start(session, user, now=NOW - IDLE)
    listed = browser_sessions.open_sessions(session, user.id, now=NOW)
    assert [row.last_seen_at for row in listed] == [NOW, NOW - timedelta(hours=1)]


def test_of_sessions_used_at_the_same_moment_the_newest_is_listed_first_and_no_more_than_asked_for(session, user):
    for _ in range(101):
        start(session, user)
    listed = [row.id for row in browser_sessions.open_sessions(session, user.id, now=NOW)]
    assert len(listed) == 100
    assert listed == sorted(listed, reverse=True)
    assert [row.id for row in browser_sessions.open_sessions(session, user.id, now=NOW, limit=2)] == listed[:2]


def test_the_list_says_where_a_session_comes_from_as_far_as_there_is_room(session, user):
    browser_sessions.start(session, user.id, browser=Browser("2" * 65, "F" * 301), now=NOW)
    (row,) = browser_sessions.open_sessions(session, user.id, now=NOW)
    assert (row.address, row.user_agent) == ("2" * 64, "F" * 300)
    assert (row.created_at, row.expires_at) == (NOW, NOW + LONGEST)


def test_a_person_is_signed_out_everywhere_and_told_of_how_many(session, user):
    tokens = [start(session, user), start(session, user)]
    start(session, user, replaces=tokens.pop())
    assert browser_sessions.end_all(session, user.id + 1, now=NOW) == 0
    assert browser_sessions.end_all(session, user.id, now=NOW) == 2
    assert browser_sessions.end_all(session, user.id, now=NOW) == 0
    assert browser_sessions.actor_for(session, tokens[0], now=NOW) is None


def test_only_the_sessions_in_use_are_recorded_as_used(session, user):
    used, other = (browser_sessions.find(session, start(session, user), now=NOW).session_id for _ in range(2))
    later = NOW + timedelta(minutes=1)
    browser_sessions.seen(session, [used], now=later)
    listed = browser_sessions.open_sessions(session, user.id, now=later)
    assert {row.id: row.last_seen_at for row in listed} == {used: later, other: NOW}


def test_somebody_bound_to_a_customer_sees_nothing_of_the_whole(session, user):
    user.customer_id, user.role = 7, Role.ADMIN
    session.flush()
    actor = browser_sessions.actor_for(session, start(session, user), now=NOW)
    assert actor.customer_id == 7
    assert not actor.permissions & {Permission.AUDIT_READ, Permission.USER_MANAGE, Permission.IMPORT}
