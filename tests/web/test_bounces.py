"""The address at which a mail server hands over what came back."""

import pytest
from sqlalchemy import select

from billing_core.bounces.models import Bounce
from billing_core.settings import settings
from billing_core.web.doors.body_limits import A_RETURNED_MAIL
from tests.bounces.returned import returned
from tests.bounces.sent import a_mailed_invoice

ADDRESS = "/webhooks/bounces"
SECRET = "a secret of the mail server's alone"


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("BILLING_BOUNCE_SECRET", SECRET)
    settings.cache_clear()
    yield SECRET
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def key(sessions) -> str:
    """Of a mail that was sent to ap@acme.example."""
    with sessions.begin() as session:
        return a_mailed_invoice(session)[1].key


def hand_over(client, mail: bytes, secret: str | None = SECRET, **headers):
    given = {} if secret is None else {"Authorization": f"Bearer {secret}".encode()}
    return client.post(ADDRESS, content=mail, headers={"Content-Type": "message/rfc822"} | given | headers)


def came_back(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(Bounce.address)))


def test_a_returned_mail_is_taken_with_the_secret(visitor, sessions, secret, key):
    # As from another site's page too: the secret decides.
    for headers in ({}, {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}):
        answer = hand_over(visitor, returned(key=key), **headers)
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert came_back(sessions) == ["ap@acme.example"]


def test_what_is_no_report_is_answered_alike(visitor, sessions, secret, key):
    answers = [hand_over(visitor, mail) for mail in (b"", b"\xff\x00", returned(key="unknown"), returned(key=key))]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, '{"received":true}')}


@pytest.mark.parametrize("given", [None, "", "wrong", SECRET + " ", "ä" * 40, SECRET[:-1]], ids=range(6))
def test_without_the_secret_nothing_is_taken(visitor, sessions, secret, key, given):
    answer = hand_over(visitor, returned(key=key), given)
    assert answer.status_code == (200 if given == SECRET + " " else 401)
    assert came_back(sessions) == (["ap@acme.example"] if given == SECRET + " " else [])


def test_there_is_no_such_address_without_the_setting(visitor, sessions, key, signed_in):
    assert hand_over(visitor, returned(key=key)).status_code == 404
    assert came_back(sessions) == []


def test_a_mail_beyond_all_bounds_is_refused_unread(visitor, sessions, secret, key):
    assert hand_over(visitor, returned(key=key) + b"x" * A_RETURNED_MAIL).status_code == 413
    assert came_back(sessions) == []
