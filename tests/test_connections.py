"""Why a mail server cannot be reached is said in the same words, whether mails go to it or are read from it."""

import imaplib
import smtplib
import socket
import ssl
from datetime import date
from email.message import EmailMessage

import pytest

from billing_core.bounces import mailbox
from billing_core.connections import mail_server
from billing_core.connections import mailbox as named
from billing_core.errors import UpstreamFailed
from billing_core.outbox import smtp

PLACE = "mail.example:2525"


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "certificate has expired"
    return error


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (untrusted(), f"The certificate of the mail server {PLACE} is not valid: certificate has expired"),
        (ssl.SSLError(), f"No encrypted connection to the mail server {PLACE} could be made: is the port right?"),
        (socket.gaierror(), f"There is no mail server {PLACE}: its name cannot be resolved"),
        (TimeoutError(), f"The mail server {PLACE} did not answer within 30 seconds"),
        (OSError(113, "No route to host"), f"The mail server {PLACE} cannot be reached: No route to host"),
        (OSError(), f"The mail server {PLACE} cannot be reached: no connection"),
    ],
)
def test_a_failing_network_is_explained_alike_for_sending_and_for_reading(monkeypatch, failure, told):
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(smtplib, "SMTP_SSL", fail)
    monkeypatch.setattr(imaplib, "IMAP4_SSL", fail)
    with pytest.raises(UpstreamFailed) as sending:
        smtp.send(mail_server(f"smtps://{PLACE}"), EmailMessage(), recipients=["a@b.example"], sender="us@b.example")
    with pytest.raises(UpstreamFailed) as reading:
        list(mailbox.fetched(named(f"imaps://me:hunter2@{PLACE}/INBOX"), None, since=date(2026, 1, 1), limit=1))
    assert str(sending.value) == str(reading.value) == told
