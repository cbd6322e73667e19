"""What administrators do about people."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Actor, Role, actor_with
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.models import LinkPurpose, OneTimeLink, User
from billing_core.identity.sessions import Browser
from billing_core.people import queries, service, sign_in
from tests.at_once import at_once

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BROWSER = Browser("203.0.113.7", "Firefox")


def a_person(session, email, role=Role.ADMIN, password_hash="a hash"):
    return service.add_person(
        session, SYSTEM, email=email, name=email.partition("@")[0], role=role, password_hash=password_hash, now=NOW
    )


def acting(user):
    return actor_with(user.role, user_id=user.id, name=user.name)


def actions(session):
    session.flush()
    return session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()


def test_an_invited_person_chooses_a_password_and_is_signed_in(session):
    user, link = service.invite(session, SYSTEM, email="Ana@Example.COM ", name="Ana  Lima", role=Role.MANAGER, now=NOW)
    assert (user.email, user.name, user.password_hash) == ("ana@example.com", "Ana Lima", None)
    assert sign_in.invited(session, link, now=NOW).first_time

    token = sign_in.choose_password(session, link, password_hash="fresh hash", browser=BROWSER, now=NOW)
    session.flush()

    assert browser_sessions.actor_for(session, token, now=NOW).user_id == user.id
    assert actions(session) == ["user.invite", "user.choose_password", "user.sign_in"]


def test_a_link_works_once(session):
    _, link = service.invite(session, SYSTEM, email="ana@example.com", name="Ana", role=Role.MANAGER, now=NOW)
    sign_in.choose_password(session, link, password_hash="fresh hash", browser=BROWSER, now=NOW)
    with pytest.raises(NotFound):
        sign_in.choose_password(session, link, password_hash="another", browser=BROWSER, now=NOW)


@pytest.mark.parametrize(("purpose", "lasts"), [("invitation", timedelta(days=7)), ("reset", timedelta(hours=24))])
def test_a_link_expires(session, purpose, lasts):
    user = a_person(session, "ana@example.com", password_hash=None if purpose == "invitation" else "old hash")
    _, link = service.password_link(session, SYSTEM, user.id, now=NOW)
    assert sign_in.invited(session, link, now=NOW + lasts - timedelta(seconds=1))
    with pytest.raises(NotFound):
        sign_in.invited(session, link, now=NOW + lasts)


def test_only_the_newest_link_works(session):
    user, first = service.invite(session, SYSTEM, email="ana@example.com", name="Ana", role=Role.MANAGER, now=NOW)
    _, second = service.password_link(session, SYSTEM, user.id, now=NOW)
    with pytest.raises(NotFound):
        sign_in.invited(session, first, now=NOW)
    assert sign_in.invited(session, second, now=NOW)


def test_a_reset_ends_every_session(session):
    user = a_person(session, "ana@example.com")
    old = browser_sessions.start(session, user.id, browser=BROWSER, now=NOW)
    _, link = service.password_link(session, SYSTEM, user.id, now=NOW)
    sign_in.choose_password(session, link, password_hash="fresh hash", browser=BROWSER, now=NOW)
    session.flush()
    assert browser_sessions.actor_for(session, old, now=NOW) is None


def test_a_set_up_link_sets_no_password(session):
    from billing_core.identity import links

    link = links.make(session, LinkPurpose.SET_UP, now=NOW)
    session.flush()
    with pytest.raises(NotFound):
        sign_in.choose_password(session, link, password_hash="fresh hash", browser=BROWSER, now=NOW)


def test_no_secret_reaches_the_audit_log(session):
    user, link = service.invite(session, SYSTEM, email="ana@example.com", name="Ana", role=Role.ADMIN, now=NOW)
    token = sign_in.choose_password(session, link, password_hash="the hash", browser=BROWSER, now=NOW)
    _, reset = service.password_link(session, SYSTEM, user.id, now=NOW)
    sign_in.sign_out(session, token, now=NOW)
    session.flush()
    written = repr([vars(entry) for entry in session.scalars(select(AuditEntry))])
    kept = session.scalars(select(OneTimeLink.token_hash)).all()
    assert not [secret for secret in (link, token, reset, "the hash", *kept) if secret in written]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ana",
        "ana@",
        "@example.com",
        "ana@example",
        "a b@example.com",
        "ana@@example.com",
        "ana\n@example.com",
        "ana\x00@example.com",
        "x" * 250 + "@e.com",
        "Ana <ana@example.com>",
    ],
)
def test_what_is_no_address_is_refused(session, email):
    with pytest.raises(Invalid) as refusal:
        service.invite(session, SYSTEM, email=email, name="Ana", role=Role.FINANCE, now=NOW)
    assert "email" in refusal.value.fields


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "Ana\x00", "Ana\x1b[31m"])
def test_what_is_no_name_is_refused(session, name):
    with pytest.raises(Invalid) as refusal:
        service.invite(session, SYSTEM, email="ana@example.com", name=name, role=Role.FINANCE, now=NOW)
    assert "name" in refusal.value.fields


def test_an_address_is_used_once(session):
    a_person(session, "ana@example.com")
    with pytest.raises(Conflict):
        a_person(session, "ANA@example.com")


def test_an_administrator_is_not_bound_and_a_customer_exists(session):
    for role, customer in ((Role.ADMIN, 1), (Role.FINANCE, 999)):
        with pytest.raises(Invalid) as refusal:
            service.invite(session, SYSTEM, email="a@example.com", name="A", role=role, customer_id=customer, now=NOW)
        assert "customer" in refusal.value.fields


def test_the_last_administrator_can_be_neither_demoted_nor_deactivated(session):
    last = a_person(session, "ada@example.com")
    service.invite(session, SYSTEM, email="new@example.com", name="Not yet here", role=Role.ADMIN, now=NOW)
    with pytest.raises(Conflict):
        service.change_role(session, acting(last), last.id, role=Role.MANAGER, now=NOW)
    with pytest.raises(Conflict):
        service.deactivate(session, acting(last), last.id, now=NOW)
    assert (last.role, last.active) == (Role.ADMIN, True)


def test_one_of_two_administrators_can_go(session):
    ada, bob = a_person(session, "ada@example.com"), a_person(session, "bob@example.com")
    service.deactivate(session, acting(ada), bob.id, now=NOW)
    assert not bob.active
    with pytest.raises(Conflict):
        service.deactivate(session, acting(ada), ada.id, now=NOW)
    service.reactivate(session, acting(ada), bob.id, now=NOW)
    service.change_role(session, acting(bob), ada.id, role=Role.FINANCE, now=NOW)
    assert ada.role is Role.FINANCE


def test_deactivation_ends_sessions_and_links(session):
    a_person(session, "ada@example.com")
    user = a_person(session, "bob@example.com", Role.FINANCE)
    token = browser_sessions.start(session, user.id, browser=BROWSER, now=NOW)
    _, link = service.password_link(session, SYSTEM, user.id, now=NOW)
    service.deactivate(session, SYSTEM, user.id, now=NOW)
    service.reactivate(session, SYSTEM, user.id, now=NOW)
    session.flush()
    assert browser_sessions.actor_for(session, token, now=NOW) is None
    with pytest.raises(NotFound):
        sign_in.invited(session, link, now=NOW)


def test_every_change_is_recorded_with_before_and_after(session):
    a_person(session, "ada@example.com")
    bob = a_person(session, "bob@example.com", Role.FINANCE)
    service.change_role(session, SYSTEM, bob.id, role=Role.MANAGER, now=NOW)
    service.change_role(session, SYSTEM, bob.id, role=Role.MANAGER, now=NOW)
    session.flush()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "user.change_role")).one()
    assert (entry.before, entry.after) == ({"role": "finance"}, {"role": "manager"})


@pytest.mark.parametrize("role", [Role.FINANCE, Role.MANAGER])
def test_only_administrators_may(session, role):
    somebody = actor_with(role, user_id=1, name="Somebody")
    for verb in (
        lambda: service.invite(session, somebody, email="a@example.com", name="A", role=Role.FINANCE, now=NOW),
        lambda: service.change_role(session, somebody, 1, role=Role.ADMIN, now=NOW),
        lambda: service.deactivate(session, somebody, 1, now=NOW),
        lambda: service.reactivate(session, somebody, 1, now=NOW),
        lambda: service.password_link(session, somebody, 1, now=NOW),
        lambda: service.revoke_session(session, somebody, 1, 1, now=NOW),
        lambda: service.revoke_sessions(session, somebody, 1, now=NOW),
        lambda: queries.people(session, somebody, now=NOW),
        lambda: queries.person(session, somebody, 1, now=NOW),
        lambda: queries.sessions_of(session, somebody, 1, now=NOW),
    ):
        with pytest.raises(Forbidden):
            verb()


def test_two_administrators_who_demote_each_other_at_once_leave_one(sessions):
    with sessions.begin() as session:
        ada, bob = a_person(session, "ada@example.com"), a_person(session, "bob@example.com")

    def demote(actor: Actor, other: int) -> None:
        with sessions.begin() as session:
            service.change_role(session, actor, other, role=Role.FINANCE, now=NOW)

    outcomes = at_once(partial(demote, acting(ada), bob.id), partial(demote, acting(bob), ada.id))
    assert {type(outcome) for outcome in outcomes} == {Conflict, type(None)}
    with sessions() as session:
        assert len(session.scalars(select(User.id).where(User.role == Role.ADMIN)).all()) == 1


def test_people_are_searched_and_paged(session):
    for name in ("anna", "bernd", "Ännchen", "b_100%"):
        a_person(session, f"{name.encode('ascii', 'ignore').decode()}@example.com").name = name
    session.flush()
    assert [row.name for row in queries.people(session, SYSTEM, text="BERN", now=NOW)] == ["bernd"]
    assert [row.name for row in queries.people(session, SYSTEM, text="_1", now=NOW)] == ["b_100%"]
    assert queries.people_count(session, SYSTEM) == 4
    assert len(queries.people(session, SYSTEM, now=NOW, limit=3, offset=2)) == 2
