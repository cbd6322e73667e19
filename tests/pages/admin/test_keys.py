"""The page about keys of programs."""

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM, Role, api_keys
from billing_core.identity.api_keys import ApiKey
from billing_core.people import keys

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def make(page, name="ERP *now*", role=Role.MANAGER):
    page.text_input(key="key_name").set_value(name)
    page.selectbox(key="key_role").set_value(role)
    return page.button(key="key_make").click().run()


def working(sessions, secret):
    with sessions() as session:
        return api_keys.find(session, secret, now=utc_now())


def a_key(sessions) -> keys.Secret:
    with sessions.begin() as session:
        return keys.make(session, SYSTEM, name="ERP", role=Role.FINANCE, now=utc_now())


def test_a_new_key_is_shown_once_and_works(page_as, sessions):
    page = page_as("admin").visit("admin/keys.py")
    assert "No program has a key yet" in page.info[0].value
    make(page)
    assert not page.exception
    secret, pair = (code.value for code in page.code)
    assert working(sessions, secret).actor.name == "key ERP *now*"
    assert pair.endswith(f":{secret}")
    page.button(key="secret_done").click().run()
    assert not page.code
    assert secret not in str(page.dataframe[0].value.to_dict())
    assert page.dataframe[0].value["Secret"][0] == f"sk_live_…{secret[-4:]}"


@ON_SQLITE
def test_what_is_wrong_is_said_and_makes_nothing(page_as, sessions):
    page = page_as("admin").visit("admin/keys.py")
    make(page, name=" ")
    assert page.error
    assert not page.code
    with sessions() as session:
        assert session.scalars(select(ApiKey)).all() == []


def test_a_key_gets_a_new_secret_and_is_revoked(page_as, sessions):
    first = a_key(sessions)
    page = page_as("admin").visit("admin/keys.py", key=str(first.key_id))
    page.button(key="key_rotate").click().run()
    assert not page.exception
    second = page.code[0].value
    assert (working(sessions, first.secret_key) is None, working(sessions, second) is None) == (False, False)
    page.button(key="secret_done").click().run()
    page.button(key="key_revoke").click().run()
    assert not page.exception
    assert (working(sessions, first.secret_key), working(sessions, second)) == (None, None)
    assert page.dataframe[0].value["State"][0] == ["Revoked"]


@ON_SQLITE
def test_an_address_that_leads_nowhere_is_no_accident(page_as):
    visitor = page_as("admin")
    for key in ("0", "999", "x", "1 OR 1=1", "99999999999999999999"):
        assert not visitor.visit("admin/keys.py", key=key).exception


@ON_SQLITE
def test_only_administrators_see_keys(page_as, sessions):
    for role in ("finance", "manager"):
        page = page_as(role).visit("admin/keys.py")
        assert "Your role does not allow this page" in page.error[0].value
        assert not page.dataframe
