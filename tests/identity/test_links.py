"""Links that work once: for how long, for what, and until a newer one is made."""

from datetime import UTC, datetime, timedelta

import pytest

from billing_core.errors import NotFound
from billing_core.identity import links, tokens
from billing_core.identity.models import LinkPurpose

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
SET_UP, INVITATION, PASSWORD_RESET = LinkPurpose.SET_UP, LinkPurpose.INVITATION, LinkPurpose.PASSWORD_RESET


def works(session, token, *purposes, now=NOW) -> bool:
    session.flush()
    found = []
    for look in (links.find, links.for_change):
        try:
            found.append(look(session, token, *(purposes or LinkPurpose), now=now).token_hash == tokens.hashed(token))
        except NotFound:
            found.append(False)
    assert found[0] is found[1]
    return found[0]


@pytest.mark.parametrize(
    ("purpose", "lasts"), [(SET_UP, 30 * DAY), (INVITATION, 7 * DAY), (PASSWORD_RESET, timedelta(hours=24))]
)
def test_each_lasts_as_long_as_its_purpose_allows(session, user, purpose, lasts):
    token = links.make(session, purpose, user_id=user.id, now=NOW)
    assert works(session, token, now=NOW + lasts - SECOND)
    assert not works(session, token, now=NOW + lasts)


def test_a_link_serves_its_own_purpose(session, user):
    token = links.make(session, INVITATION, user_id=user.id, now=NOW)
    assert works(session, token, INVITATION)
    assert works(session, token, *links.PASSWORD_PURPOSES)
    assert not works(session, token, PASSWORD_RESET)
    assert not works(session, f"{token}x")


def test_only_the_newest_of_a_person_works_and_those_of_others_stay(session, user):
    of_set_up = links.make(session, SET_UP, now=NOW)
    first = links.make(session, INVITATION, user_id=user.id, now=NOW)
    session.flush()
    second = links.make(session, PASSWORD_RESET, user_id=user.id, now=NOW)
    assert (works(session, of_set_up), works(session, first), works(session, second)) == (True, False, True)
    newer = links.make(session, SET_UP, now=NOW)
    assert (works(session, of_set_up), works(session, newer), works(session, second)) == (False, True, True)
    links.withdraw(session, user.id, now=NOW)
    assert (works(session, newer), works(session, second)) == (True, False)


@pytest.mark.parametrize(
    ("purposes", "whom"),
    [((SET_UP,), "The terminal shows a new one"), (links.PASSWORD_PURPOSES, "Ask an administrator for a new one")],
)
def test_who_can_make_another_is_said(session, purposes, whom):
    with pytest.raises(NotFound, match=whom):
        links.find(session, "x", *purposes, now=NOW)


def test_a_token_has_256_random_bits():
    first, second = tokens.fresh(), tokens.fresh()
    assert (len(first), len(second), first != second) == (43, 43, True)
