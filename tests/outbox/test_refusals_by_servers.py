"""What a mail server answers, in our words; and whether the mail is tried again."""

import smtplib
import ssl

import pytest

from billing_core.connections import mail_server
from billing_core.errors import UpstreamFailed
from billing_core.outbox import smtp
from billing_core.outbox.delivery import Refused
from billing_core.outbox.mail import compose, mail_id
from tests.outbox.test_mail import NOW

PLACE = "mail.example:25"
SERVER = "smtp://bill:hunter2@mail.example:25"
US, THEM = "us@ours.example", "ap@acme.example"
AGAIN, NEVER = UpstreamFailed, Refused


def send(url=SERVER):
    mail = compose(key="k", to=[THEM], subject="S", content={"text": "T"}, sender=US, attachments=(), written_at=NOW)
    smtp.send(mail_server(url), mail, recipients=[THEM], sender=US)


class Server:
    """Says what a test wants it to."""

    def __init__(self, failure=None, *, extensions=("starttls", "auth")):
        self.failure, self.extensions, self.done = failure, extensions, []

    def connect(self, host, port, *, timeout, **_context):
        self.done.append((host, port, timeout))
        return self

    def has_extn(self, name):
        return name in self.extensions

    def sendmail(self, from_addr, to_addrs, _mail, *, mail_options, rcpt_options):
        self.done.append((from_addr, *mail_options, *to_addrs, *rcpt_options))
        if self.failure:
            raise self.failure
        return {}

    def __getattr__(self, name):
        return lambda *_given, **_named: self.done.append(name)


@pytest.fixture
def server(monkeypatch):
    def stands_in(*given, **facts):
        found = Server(*given, **facts)
        monkeypatch.setattr(smtplib, "SMTP", found.connect)
        return found

    return stands_in


def test_the_dialogue_in_its_order(server):
    talked = server()
    send()
    assert talked.done == [
        ("mail.example", 25, 30),
        *("ehlo", "starttls", "ehlo_or_helo_if_needed", "login"),
        (US, THEM),
        *("quit", "close"),
    ]


def test_a_server_that_can_is_asked_to_tell_what_does_not_arrive_by_the_name_that_the_mail_has_here(server):
    talked = server(extensions=("starttls", "auth", "dsn"))
    send()
    named = f"ENVID={mail_id('k')}"
    assert (US, "RET=HDRS", named, THEM, "NOTIFY=FAILURE,DELAY") in talked.done


def test_a_server_that_takes_no_password_is_told_of(server):
    talked = server(extensions=("starttls",))
    with pytest.raises(UpstreamFailed, match="accepts no password, but BILLING_SMTP_URL has one"):
        send()
    assert "login" not in talked.done
    assert talked.done[-1] == "close"


@pytest.mark.parametrize(
    ("failure", "kind", "told"),
    [
        (
            smtplib.SMTPAuthenticationError(535, b"no hunter2"),
            AGAIN,
            f"The mail server {PLACE} does not accept the user or the password of BILLING_SMTP_URL (535 no …)",
        ),
        (
            smtplib.SMTPRecipientsRefused({THEM: (550, b"unknown\r\n\x07user")}),
            NEVER,
            f"The mail server does not take mail for {THEM}: 550 unknown user",
        ),
        (
            smtplib.SMTPSenderRefused(553, b"not you", US),
            NEVER,
            f"The mail server does not take mail from {US}: 553 not you",
        ),
        (
            smtplib.SMTPSenderRefused(451, "later", US),
            AGAIN,
            f"The mail server does not take mail from {US}: 451 later",
        ),
        (smtplib.SMTPDataError(554, b"spam"), NEVER, "The mail server does not take this mail: 554 spam"),
        (smtplib.SMTPDataError(452, b"full"), AGAIN, "The mail server does not take this mail: 452 full"),
        (
            smtplib.SMTPHeloError(421, b"busy"),
            AGAIN,
            f"The mail server {PLACE} is not ready for mail: 421 busy",
        ),
        (
            smtplib.SMTPServerDisconnected("gone"),
            AGAIN,
            f"The mail server {PLACE} ended the conversation",
        ),
        (TimeoutError(), AGAIN, f"The mail server {PLACE} did not answer within 30 seconds"),
        (
            OSError(113, "No route to host"),
            AGAIN,
            f"The mail server {PLACE} cannot be reached: No route to host",
        ),
        (OSError(), AGAIN, f"The mail server {PLACE} cannot be reached: no connection"),
        (
            ssl.SSLError(),
            AGAIN,
            f"No encrypted connection to the mail server {PLACE} could be made: is the port right?",
        ),
    ],
)
def test_every_answer_is_explained(server, failure, kind, told):
    server(failure)
    with pytest.raises(UpstreamFailed) as refusal:
        send()
    assert (type(refusal.value), str(refusal.value)) == (kind, told)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, AGAIN) for code in (421, 499, 530, 535, 539, 600)),
        *((code, NEVER) for code in (500, 529, 540, 550, 599)),
    ],
)
def test_a_final_answer_that_is_not_about_our_password_is_final(server, code, kind):
    server(smtplib.SMTPDataError(code, b"no"))
    with pytest.raises(UpstreamFailed) as refusal:
        send()
    assert type(refusal.value) is kind


def test_of_a_long_answer_the_beginning_is_told(server):
    server(smtplib.SMTPDataError(554, b"x" * 201))
    with pytest.raises(Refused, match=r"554 x{200}$"):
        send()


def test_without_a_password_nothing_of_an_answer_is_hidden(server):
    server(smtplib.SMTPDataError(554, b"a b"))
    with pytest.raises(Refused, match=r"554 a b$"):
        send("smtp://mail.example")
