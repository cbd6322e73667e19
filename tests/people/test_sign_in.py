"""Signing in, and the first set-up."""

from datetime import UTC, datetime

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM, Permission, Role, links, passwords
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.models import LinkPurpose, User
from billing_core.identity.sessions import Browser
from billing_core.people import queries, service, sign_in

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BROWSER = Browser("203.0.113.7", "Firefox")
PASSWORD = "correct horse battery"
WEAK = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024),)).hash(PASSWORD)


@pytest.fixture
def ana(session):
    return service.add_person(
        session, SYSTEM, email="ana@example.com", name="Ana", role=Role.ADMIN, password_hash=WEAK, now=NOW
    )


def test_the_right_password_signs_in_and_strengthens_the_hash(session, ana):
    verified = sign_in.verify(session, email=" ANA@example.com", password=PASSWORD)
    token = sign_in.sign_in(session, verified, browser=BROWSER, now=NOW)
    session.flush()
    assert browser_sessions.actor_for(session, token, now=NOW).user_id == ana.id
    assert ana.password_hash != WEAK
    assert passwords.matches(PASSWORD, ana.password_hash) == (True, None)
    assert ana.last_sign_in_at == NOW
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "user.sign_in")).one()
    assert entry.after == {"address": "203.0.113.7"}


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@example.com", "wrong"),
        ("ana@example.com", ""),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("\x00ana@example.com", "\x00"),
    ],
)
def test_anything_else_does_not(session, ana, email, password):
    assert sign_in.verify(session, email=email, password=password) is None


@pytest.mark.parametrize("change", ["deactivated", "uninvited"])
def test_an_account_that_may_not_sign_in_does_not(session, ana, change):
    if change == "deactivated":
        ana.active = False
    else:
        ana.password_hash = None
    session.flush()
    assert sign_in.verify(session, email="ana@example.com", password=PASSWORD) is None


def test_a_password_that_changed_after_the_check_is_refused(session, ana):
    verified = sign_in.verify(session, email="ana@example.com", password=PASSWORD)
    ana.password_hash = "another hash"
    session.flush()
    with pytest.raises(Conflict):
        sign_in.sign_in(session, verified, browser=BROWSER, now=NOW)


def test_signing_out_twice_is_harmless(session, ana):
    token = browser_sessions.start(session, ana.id, browser=BROWSER, now=NOW)
    sign_in.sign_out(session, token, now=NOW)
    sign_in.sign_out(session, token, now=NOW)
    session.flush()
    assert browser_sessions.actor_for(session, token, now=NOW) is None
    assert (
        len(
            session.scalars(
                select(AuditEntry).where(AuditEntry.action == "user.sign_out").order_by(AuditEntry.id)
            ).all()
        )
        == 1
    )


def first_administrator(session, link):
    return sign_in.first_administrator(
        session, link, email="ana@example.com", name="Ana", password_hash=WEAK, browser=BROWSER, now=NOW
    )


def test_the_first_administrator_comes_with_the_link(session):
    link = links.make(session, LinkPurpose.SET_UP, now=NOW)
    actor, token = first_administrator(session, link)
    session.flush()
    assert actor.may(Permission.USER_MANAGE)
    assert browser_sessions.actor_for(session, token, now=NOW) == actor
    assert queries.anybody(session)
    with pytest.raises(NotFound):
        first_administrator(session, link)


def test_a_set_up_link_is_dead_once_there_is_anybody(session, ana):
    link = links.make(session, LinkPurpose.SET_UP, now=NOW)
    with pytest.raises(Conflict):
        first_administrator(session, link)
    assert len(session.scalars(select(User)).all()) == 1


def test_each_start_makes_the_older_set_up_link_useless(session):
    older = links.make(session, LinkPurpose.SET_UP, now=NOW)
    links.make(session, LinkPurpose.SET_UP, now=NOW)
    with pytest.raises(NotFound):
        first_administrator(session, older)
