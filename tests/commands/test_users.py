"""``user add``."""

import io
import json

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.__main__ import main
from billing_core.dates import utc_now
from billing_core.identity import Role, passwords
from billing_core.identity.models import User
from billing_core.people import sign_in


@pytest.fixture(autouse=True)
def on_this_database(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)


def the_user(sessions) -> User:
    with sessions() as session:
        return session.scalars(select(User)).one()


def test_a_person_is_added_with_a_link(sessions, capsys):
    assert main(["--json", "user", "add", "Ana@example.com", "--role", "manager"]) == 0
    answer = json.loads(capsys.readouterr().out)
    user = the_user(sessions)
    assert (user.email, user.name, user.role, user.password_hash) == ("ana@example.com", "Ana", Role.MANAGER, None)
    token = answer["link"].partition("?token=")[2]
    with sessions() as session:
        assert sign_in.invited(session, token, now=utc_now()).email == "ana@example.com"


def test_a_person_is_added_with_a_password(sessions, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\nmore\n"))
    assert main(["user", "add", "ana@example.com", "--role", "admin", "--password-stdin"]) == 0
    assert passwords.matches("correct horse battery", the_user(sessions).password_hash) == (True, None)
    assert "correct horse" not in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["", "short\n"])
def test_a_password_that_cannot_be_is_refused(sessions, capsys, monkeypatch, typed):
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert main(["user", "add", "ana@example.com", "--role", "admin", "--password-stdin"]) == 1
    assert capsys.readouterr().err
    with sessions() as session:
        assert session.scalars(select(User)).all() == []


def test_an_address_is_added_once(capsys):
    assert main(["user", "add", "ana@example.com", "--role", "admin"]) == 0
    assert main(["user", "add", "ana@example.com", "--role", "finance"]) == 1
    assert "already has an account" in capsys.readouterr().err


def test_a_role_that_does_not_exist_is_wrong_usage():
    with pytest.raises(SystemExit) as ended:
        main(["user", "add", "ana@example.com", "--role", "king"])
    assert ended.value.code == 2
