"""``key create``."""

import json

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.__main__ import main
from billing_core.dates import utc_now
from billing_core.identity import Role, api_keys
from billing_core.identity.api_keys import ApiKey

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def on_this_database(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)


def test_a_key_is_made_and_works(sessions, capsys):
    assert (
        main(["--json", "key", "create", "--name", " The  ERP ", "--role", "manager", "--expires", "2999-12-31"]) == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert (answer["name"], answer["role"], answer["customer_id"]) == ("The ERP", "manager", None)
    assert answer["pair"] == f"{answer['public_key']}:{answer['key']}"
    with sessions() as session:
        found = api_keys.find(session, answer["key"], now=utc_now())
        key = session.scalars(select(ApiKey)).one()
    assert (found.actor.name, key.role, str(key.expires_at)) == (
        "key The ERP",
        Role.MANAGER,
        "3000-01-01 00:00:00+00:00",
    )


def test_the_last_line_is_the_key(capsys):
    assert main(["key", "create", "--name", "ERP", "--role", "finance", "--test"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("sk_test_")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "ERP", "--role", "finance", "--customer", "999"], "Customer with ID 999 not found"),
        (["--name", " ", "--role", "finance"], "name: is needed"),
        (["--name", "ERP", "--role", "finance", "--expires", "2020-01-01"], "expires_at: must be in the future"),
        (["--name", "ERP", "--role", "finance", "--expires", "9999-12-31"], "expires_at: is too late"),
    ],
)
def test_a_key_that_cannot_be_is_refused(capsys, sessions, arguments, said):
    assert main(["key", "create", *arguments]) == 1
    assert said in capsys.readouterr().err
    with sessions() as session:
        assert session.scalars(select(ApiKey)).all() == []
