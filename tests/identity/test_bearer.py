"""Bearer tokens: whom they stand for, until when, and which are none of ours."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from joserfc.jws import extract_compact

from billing_core.identity import Permission, Role, bearer

NOW = datetime(2026, 3, 1, 0, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def ana(user, session):
    user.password_hash = "a hash"
    session.flush()
    return user


def token_of(user, *, issued=NOW, **claims):
    """With other claims than it has: signed by us all the same."""
    token = bearer.create(user.id, user.password_hash, now=issued)
    content = extract_compact(token.encode())
    return bearer._signed(content.headers(), json.loads(content.payload) | claims) if claims else token


def test_a_token_acts_as_its_person(session, ana):
    actor = bearer.actor_for(session, token_of(ana), now=NOW)
    assert (actor.user_id, actor.name, actor.customer_id) == (ana.id, "Ana", None)
    assert actor.may(Permission.REPORT_GENERATE)
    assert not actor.may(Permission.USER_MANAGE)


def test_what_has_changed_about_the_person_holds_at_once(session, ana):
    token = token_of(ana)
    ana.name, ana.role, ana.customer_id = "Ana Lima", Role.ADMIN, 7
    session.flush()
    actor = bearer.actor_for(session, token, now=NOW)
    assert (actor.name, actor.customer_id) == ("Ana Lima", 7)
    assert not actor.may(Permission.USER_MANAGE)


def test_it_says_who_and_until_when_and_nothing_of_the_password(ana):
    content = extract_compact(token_of(ana).encode())
    claims = json.loads(content.payload)
    issued = int(NOW.timestamp())
    fingerprint = claims.pop("pwd")
    assert claims == {"iss": "billing", "sub": str(ana.id), "iat": issued, "exp": issued + 15 * 60}
    assert (len(fingerprint), int(fingerprint, 16) > 0) == (32, True)
    assert content.headers() == {"alg": "HS256", "kid": "2026-03", "typ": "JWT"}


def test_it_lasts_a_quarter_of_an_hour_also_over_the_end_of_a_month(session, ana):
    token = token_of(ana, issued=NOW - timedelta(minutes=10))
    assert bearer.actor_for(session, token, now=NOW) is not None
    assert bearer.actor_for(session, token, now=NOW + timedelta(minutes=5) - SECOND) is not None
    assert bearer.actor_for(session, token, now=NOW + timedelta(minutes=5)) is None


@pytest.mark.parametrize(("ahead", "works"), [(60, True), (61, False)])
def test_a_clock_may_be_a_minute_ahead(session, ana, ahead, works):
    token = token_of(ana, issued=NOW + ahead * SECOND)
    assert (bearer.actor_for(session, token, now=NOW) is not None) is works


def test_the_key_of_a_month_that_is_over_signs_nothing_that_still_works(session, ana):
    quarter_past = NOW + timedelta(minutes=10)
    token = token_of(ana, issued=NOW - timedelta(minutes=6), exp=int(quarter_past.timestamp()) + 60)
    assert bearer.actor_for(session, token, now=quarter_past - SECOND) is not None
    assert bearer.actor_for(session, token, now=quarter_past) is None


def test_what_is_signed_for_another_purpose_is_no_token(session, ana):
    assert bearer.actor_for(session, token_of(ana, iss="somebody else"), now=NOW) is None
    assert bearer.actor_for(session, token_of(ana, sub="Ana"), now=NOW) is None


def test_what_was_added_to_a_token_makes_it_another(session, ana):
    token = token_of(ana)
    for changed in (f"{token}é", f"{token}.", f"{token[:-4]}AAAA", token.replace(".", ".é", 1), "x" * 2_001, "é", ""):
        assert bearer.actor_for(session, changed, now=NOW) is None, changed


def test_it_ends_with_the_password_and_with_the_account(session, ana):
    token = token_of(ana)
    ana.password_hash = "another hash"
    session.flush()
    assert bearer.actor_for(session, token, now=NOW) is None
    ana.password_hash, ana.active = "a hash", False
    session.flush()
    assert bearer.actor_for(session, token, now=NOW) is None


def test_without_its_signature_it_is_worthless_and_can_be_signed_again_while_the_password_is_the_same(session, ana):
    token = token_of(ana)
    kept = bearer.unsigned(token)
    assert token.startswith(f"{kept}.")
    assert kept.count(".") == 1
    assert bearer.actor_for(session, kept, now=NOW) is None
    assert bearer.signed_again(kept, "a hash") == token
    assert bearer.signed_again(kept, "another hash") is None
