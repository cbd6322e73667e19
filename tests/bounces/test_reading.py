"""Reading the mailbox to which mails come back: each mail once, and nothing in it is changed."""

import re
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from billing_core import runtime
from billing_core.bounces import reading, recording
from billing_core.bounces.models import Bounce, ReadMailbox
from billing_core.bounces.reports import MOST_BYTES
from billing_core.connections import mailbox
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.jobs.schedules import returned_mails
from billing_core.settings import settings
from tests.bounces.imap_server import Folder, ImapServer
from tests.bounces.returned import returned
from tests.bounces.sent import a_mailed_invoice
from tests.invoices.company import LATER
from tests.outbox.post_office import authority, free_port

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CHATTER = b"From: ana@acme.example\r\nSubject: Hello\r\n\r\nWe pay tomorrow.\r\n"


def read(sessions, url: str, *, query: str = "?starttls=0", **facts) -> int:
    return reading.read(sessions, SYSTEM, mailbox(url + query), now=LATER, **facts)


@pytest.fixture
def keys(sessions) -> list[str]:
    """Of two mails to ap@acme.example."""
    with sessions.begin() as session:
        return [a_mailed_invoice(session, ref=ref)[1].key for ref in ("ONE", "TWO")]


def came_back(sessions) -> int:
    with sessions() as session:
        return len(session.scalars(select(Bounce.id)).all())


def test_what_has_come_is_read_once_and_nothing_is_changed(sessions, keys):
    folder = Folder({3: CHATTER, 5: returned(key=keys[0])})
    with ImapServer(folder) as url:
        assert [read(sessions, url), read(sessions, url)] == [1, 0]
        folder.mails[9] = returned(key=keys[1])
        assert read(sessions, url) == 1
    assert came_back(sessions) == 2
    with sessions() as session:
        (known,) = session.scalars(select(ReadMailbox))
        assert (known.uid_validity, known.last_uid) == (7, 9)
        assert re.fullmatch(r"bounces@127\.0\.0\.1:\d+/INBOX", known.name)
    asked = [re.sub(r"\d+", "#", one) for one in folder.asked if one.startswith(("UID", "E", "S"))]
    assert set(asked) == {
        'EXAMINE "INBOX"',
        "UID SEARCH SINCE #-Jan-#",
        "UID SEARCH UID #:*",
        "UID FETCH # (BODY.PEEK[]<#.#>)",
    }
    assert [one for one in folder.asked if one.startswith("UID FETCH 3 ")] == [
        f"UID FETCH 3 (BODY.PEEK[]<0.{MOST_BYTES}>)"
    ]


def test_a_mailbox_that_has_numbered_its_mails_anew_is_read_again_and_nothing_counts_twice(sessions, keys):
    folder = Folder({50: returned(key=keys[0])})
    with ImapServer(folder) as url:
        assert read(sessions, url) == 1
        folder.uid_validity, folder.mails = 8, {1: returned(key=keys[0]), 2: returned(key=keys[1])}
        assert [read(sessions, url), read(sessions, url)] == [1, 0]
    assert came_back(sessions) == 2


@on_sqlite
def test_no_more_is_read_at_once_than_the_limit_and_the_rest_follows(sessions, keys):
    folder = Folder(dict.fromkeys(range(1, 5), CHATTER) | {7: returned(key=keys[0])})
    with ImapServer(folder) as url:
        assert [read(sessions, url, limit=2) for _ in range(4)] == [0, 0, 1, 0]
        folder.mails |= {8: CHATTER, 9: CHATTER}
        read(sessions, url, ending=lambda: True)
        with sessions() as session:
            assert session.scalars(select(ReadMailbox.last_uid)).one() == 8


@on_sqlite
def test_a_mail_that_cannot_be_written_down_is_read_again(sessions, keys, monkeypatch):
    folder = Folder({1: CHATTER, 2: returned(key=keys[0])})

    def fail(*_given, **_named):
        raise ConnectionError("the database is away")

    with ImapServer(folder) as url:
        with monkeypatch.context() as broken:
            broken.setattr(recording, "record", fail)
            with pytest.raises(ConnectionError):
                read(sessions, url)
        assert read(sessions, url) == 1


@on_sqlite
def test_a_mail_that_somebody_deletes_meanwhile_is_passed_over(sessions, keys):
    folder = Folder({2: returned(key=keys[0])}, answers={"UID SEARCH SINCE": "* SEARCH 1 2\n{tag} OK done"})
    with ImapServer(folder) as url:
        assert read(sessions, url) == 1


@on_sqlite
def test_a_mail_that_the_server_refuses_is_told_and_asked_for_again_while_others_are_read(sessions, keys):
    folder = Folder({1: CHATTER, 2: returned(key=keys[0]), 3: returned(key=keys[1]), 4: CHATTER})
    folder.answers = {"UID FETCH 2 ": "{tag} NO [UNAVAILABLE] busy, hunter2"}
    with ImapServer(folder) as url:
        for _ in range(2):
            with pytest.raises(UpstreamFailed, match=r"does not give mail 2 \(\[UNAVAILABLE\] busy, …\)"):
                read(sessions, url)
            assert came_back(sessions) == 1
        folder.answers.clear()
        assert [read(sessions, url), read(sessions, url)] == [1, 0]
    assert came_back(sessions) == 2
    with sessions() as session:
        assert session.scalars(select(ReadMailbox.last_uid)).one() == 4


@on_sqlite
def test_a_refused_mail_that_is_moved_away_is_left_out(sessions, keys):
    folder = Folder({1: CHATTER, 2: returned(key=keys[0])}, answers={"UID FETCH 1 ": "{tag} NO damaged"})
    with ImapServer(folder) as url:
        with pytest.raises(UpstreamFailed, match="moved to another folder, it is left out"):
            read(sessions, url)
        del folder.mails[1]
        assert read(sessions, url) == 0
    assert came_back(sessions) == 1
    with sessions() as session:
        assert session.scalars(select(ReadMailbox.last_uid)).one() == 2


@on_sqlite
def test_of_a_mail_without_end_its_beginning_is_read(sessions, keys):
    folder = Folder({1: returned(key=keys[0]) + b"x" * 3_000_000})
    with ImapServer(folder) as url:
        assert read(sessions, url) == 1


@on_sqlite
@pytest.mark.parametrize("capabilities", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1"])
@pytest.mark.parametrize(("tls", "query"), [("from the start", ""), ("offered", ""), ("offered", "?starttls=1")])
def test_an_encrypted_connection_needs_a_certificate_that_we_trust(
    sessions, keys, monkeypatch, tmp_path, tls, query, capabilities
):
    trusted = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(trusted)
    folder = Folder({1: returned(key=keys[0])}, capabilities=capabilities)
    with ImapServer(folder, tls=tls) as url:
        with pytest.raises(UpstreamFailed, match=r"certificate of the mail server .* is not valid"):
            read(sessions, url, query=query)
        assert not {"LOGIN", "AUTHENTICATE PLAIN"} & set(folder.asked)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert read(sessions, url, query=query) == 1


@on_sqlite
def test_the_password_is_not_sent_unencrypted_by_itself(sessions):
    folder = Folder()
    with ImapServer(folder) as url, pytest.raises(UpstreamFailed, match=r"offers no encryption.*starttls=0"):
        read(sessions, url, query="")
    assert not {"LOGIN", "AUTHENTICATE PLAIN"} & set(folder.asked)


@on_sqlite
@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"EXAMINE": "{tag} NO over hunter2"}, "The mailbox “INBOX” at .* cannot be opened: over …"),
        ({"UID SEARCH": "{tag} NO not now"}, "cannot be searched: not now"),
        ({"UID SEARCH": "* SEARCH one two\n{tag} OK done"}, "does not speak IMAP as expected"),
        ({"UID SEARCH": ""}, "does not speak IMAP as expected|cannot be reached"),
        ({"CAPABILITY": "{tag} BAD what"}, "does not speak IMAP as expected"),
        ({"AUTHENTICATE": "{tag} NO not hunter2"}, r"does not accept the user or the password .*not …"),
    ],
)
def test_what_goes_wrong_is_said_without_the_password(sessions, answers, told):
    folder = Folder({1: CHATTER}, answers=answers)
    with ImapServer(folder) as url, pytest.raises(UpstreamFailed, match=told) as failure:
        read(sessions, url)
    assert "hunter2" not in str(failure.value)


@on_sqlite
def test_a_wrong_password_and_a_server_that_is_away_are_told_apart(sessions):
    with ImapServer(Folder()) as url:
        with pytest.raises(UpstreamFailed, match="does not accept the user or the password of BILLING_BOUNCE_MAILBOX"):
            read(sessions, url.replace("hunter2", "wrong"))
        with pytest.raises(UpstreamFailed, match=r"cannot be opened: there is no such folder"):
            read(sessions, url.replace("INBOX", "Bounces"))
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        read(sessions, f"imap://me:hunter2@127.0.0.1:{free_port()}/INBOX")


def test_what_came_long_ago_is_not_read(sessions):
    folder = Folder()
    with ImapServer(folder) as url:
        read(sessions, url)
    since = LATER - timedelta(days=30)
    months = ("Jan", "Feb", "Mar")
    assert f"UID SEARCH SINCE {since.day}-{months[since.month - 1]}-{since.year}" in folder.asked


@on_sqlite
def test_the_job_reads_the_mailbox_of_the_setting_and_nothing_without_it(sessions, keys, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    assert returned_mails.read_mailbox(LATER) == 0
    with ImapServer(Folder({1: returned(key=keys[0])})) as url:
        monkeypatch.setattr(settings(), "bounce_mailbox", SecretStr(url + "?starttls=0"))
        assert returned_mails.read_mailbox(LATER) == 1
