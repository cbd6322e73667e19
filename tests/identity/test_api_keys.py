"""API keys: which secrets work, and whom they stand for."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from billing_core.identity import SYSTEM, Permission, Role, api_keys
from billing_core.identity.api_keys import ApiKey, KeyMode
from billing_core.people import keys

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def a_key(session, **facts):
    key = keys.make(session, SYSTEM, **{"name": "ERP", "role": Role.MANAGER, "now": NOW, **facts})
    session.flush()
    return key


def find(session, key, *, now=NOW, **pair):
    return api_keys.find(session, key.secret_key, now=now, **pair)


def test_a_key_stands_for_a_program_of_its_role(session):
    key = a_key(session, mode=KeyMode.TEST)
    found = find(session, key)
    assert (found.key_id, found.mode) == (key.key_id, KeyMode.TEST)
    assert (found.actor.user_id, found.actor.name, found.actor.customer_id) == (None, "key ERP", None)
    assert found.actor.may(Permission.REPORT_GENERATE)
    assert not found.actor.may(Permission.USER_MANAGE)


def test_an_unknown_secret_opens_nothing(session):
    a_key(session)
    assert api_keys.find(session, "sk_live_x", now=NOW) is None


def test_a_key_ends_at_its_instant(session):
    key = a_key(session, expires_at=NOW + DAY)
    assert find(session, key, now=NOW + DAY - SECOND) is not None
    assert find(session, key, now=NOW + DAY) is None


def test_a_revoked_key_is_dead_at_once(session):
    key, other = a_key(session), a_key(session)
    keys.revoke(session, SYSTEM, key.key_id, now=NOW)
    session.flush()
    assert (find(session, key), find(session, other) is not None) == (None, True)


def test_after_a_rotation_the_former_secret_works_for_as_long_as_was_said(session):
    former = a_key(session)
    key = keys.rotate(session, SYSTEM, former.key_id, overlap=DAY, now=NOW)
    session.flush()
    assert find(session, former, now=NOW + DAY - SECOND) is not None
    assert find(session, former, now=NOW + DAY) is None
    assert find(session, key, now=NOW + DAY) is not None


def test_sent_as_a_pair_both_have_to_belong_together(session):
    key, other = a_key(session), a_key(session)
    assert find(session, key, public_key=key.public_key) is not None
    assert find(session, key, public_key=other.public_key) is None


def test_only_the_keys_in_use_are_recorded_as_used(session):
    used, other = a_key(session), a_key(session)
    api_keys.used(session, [used.key_id], now=NOW + DAY)
    session.expire_all()
    last_used = dict(session.execute(select(ApiKey.id, ApiKey.last_used_at)).all())
    assert last_used == {used.key_id: NOW + DAY, other.key_id: None}
