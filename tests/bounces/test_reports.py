"""What is read of mails that come back: of which mail, of whom, and what cannot be read at all."""

import re
import time

import pytest

from billing_core.bounces import reports
from billing_core.bounces.wording import Told
from billing_core.outbox.mail import mail_id
from tests.bounces.returned import (
    EXCHANGE,
    EXIM,
    GLOBAL,
    GMAIL,
    OLD_EXCHANGE,
    OLD_GMAIL,
    POSTFIX,
    QMAIL,
    returned,
)

OF_ACME = ("ap@acme.example",)


def read(mail: bytes) -> tuple[Told, ...]:
    report = reports.read(mail)
    return report.told if report else ()


@pytest.mark.parametrize(
    ("form", "status", "reason"),
    [
        (POSTFIX, "5.1.1", "550 5.1.1 <ap@acme.example>: Recipient address rejected: User unknown"),
        (EXCHANGE, "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found"),
        (
            GMAIL,
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 Learn more at "
            "https://support.google.com/mail/?p=NoSuchUser - gsmtp",
        ),
        (
            OLD_GMAIL,
            "5.1.0",
            "Technical details of permanent failure: The error that the other server returned was: "
            "550 #5.1.0 Address rejected",
        ),
        (QMAIL, "5.1.1", "Sorry, no mailbox here by that name. (#5.1.1)"),
        (
            EXIM,
            "5.7.1",
            "host mx.acme.example [192.0.2.1] SMTP error from remote mail server after RCPT TO:<ap@acme.example>: "
            "550 5.7.1 <ap@acme.example>: Relay access denied",
        ),
        (OLD_EXCHANGE, "", "on Sun, 21 Jul 2002 07:10:13 -0400 The recipient name is not recognized"),
    ],
    ids=["postfix", "exchange", "gmail", "old gmail", "qmail", "exim", "old exchange"],
)
def test_whom_a_mail_did_not_reach_and_why(form, status, reason):
    report = reports.read(returned(form))
    assert report is not None
    assert report.mail_ids == (mail_id("k1"),)
    assert report.told == (Told(OF_ACME, True, status, reason),)


@pytest.mark.parametrize(
    ("action", "status", "final"),
    [
        ("failed", "5.2.2", True),
        # Given up after days of trying.
        ("failed", "4.4.7", True),
        ("Failed (permanently)", "5.0.0", True),
        ("delayed", "4.4.1", False),
        ("", "5.1.1", True),
        ("", "4.2.2", False),
        ("delivered", "2.0.0", None),
        ("relayed", "2.1.9", None),
        ("expanded", "2.0.0", None),
        ("nonsense", "5.1.1", None),
    ],
)
def test_what_is_final_and_what_is_late(action, status, final):
    told = read(returned(action=action, status=status))
    assert [one.final for one in told] == ([] if final is None else [final])


def test_several_receivers_in_one_report():
    one = re.search(r"Final-Recipient.*?User unknown\r\n", returned().decode(), re.DOTALL)[0]
    other = one.replace("ap@acme.example", "ben@acme.example").replace("failed", "delayed").replace("5.1.1", "4.2.2")
    mail = returned().decode().replace(one, f"{one}\r\n{other}").encode()
    assert [(told.addresses[0], told.final) for told in read(mail)] == [
        ("ap@acme.example", True),
        ("ben@acme.example", False),
    ]


@pytest.mark.parametrize("address", ["jörg@acme.example", r"j\x{F6}rg@acme.example"])
def test_addresses_beyond_ascii(address):
    assert [told.addresses for told in read(returned(GLOBAL, address=address))] == [("jörg@acme.example",)]


def test_an_address_as_it_was_written_comes_before_what_a_server_made_of_it():
    mail = returned().replace(
        b"Final-Recipient: rfc822; ap@acme.example", b"Final-Recipient: rfc822; <x17@hosted.example>"
    )
    assert read(mail)[0].addresses == ("ap@acme.example", "x17@hosted.example")


OUT_OF_OFFICE = f"""\
From: Ana <ap@acme.example>
In-Reply-To: <{mail_id("k1")}@ours.example>
Subject: Out of office
Auto-Submitted: auto-replied

I am away. Your mail to ap@acme.example is not read.
"""
QUOTED = f"""\
From: Ana <ap@acme.example>
In-Reply-To: <{mail_id("k1")}@ours.example>
Subject: Re: Invoice

They tell me: A message that you sent could not be delivered to one or more of its
recipients: ben@acme.example
"""
FORWARDED = (
    b'From: ana@acme.example\r\nContent-Type: multipart/mixed; boundary="f"\r\n\r\n--f\r\nContent-Type: message/rfc822'
    b"\r\n\r\n" + returned() + b"\r\n--f--\r\n"
)


@pytest.mark.parametrize(
    "mail",
    [
        OUT_OF_OFFICE.encode(),
        QUOTED.encode(),
        FORWARDED,
        b"",
        b"\x00" * 1000,
        b"\xff\xfe" * 1000,
        returned(action="failed", address="no address"),
        # Of a mail that is not ours.
        returned(name="20230816115824.205A984439104441"),
        returned(name="a" * 41),
        returned(name="A" * 40),
        b"Content-Type: multipart/report\r\n\r\n",
        b"Content-Type: multipart/report; boundary=\r\n\r\n--\r\n",
        b"Content-Type: message/delivery-status\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\nFrom: mailer-daemon@x.example\r\n\r\n====",
        b"Content-Type: text/plain; charset*=x'y'%zz\r\nFrom: mailer-daemon@x.example\r\n\r\nfailed permanently:",
    ],
    ids=range(15),
)
def test_what_is_no_report_of_ours_says_nothing(mail):
    assert reports.read(mail) is None


def test_the_reason_is_one_line_of_printable_characters():
    words = b"<script>alert(1)</script>\x1b[31m\x00\xe2\x80\xae \xff caf\xc3\xa9 " + b"x" * 5000
    mail = returned().replace(b"User unknown\r\n\r\n--4F", words + b"\r\n\r\n--4F")
    (told,) = read(mail)
    assert told.reason.isprintable()
    assert len(told.reason) <= 300
    assert "<script>alert(1)</script> [31m" in told.reason
    assert "café" in told.reason


NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5000))


@pytest.mark.parametrize(
    "mail",
    [
        NESTED,
        b"Content-Type: message/rfc822\r\n\r\n" * 9000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 40_000,
        b"Content-Type: text/plain" + b';a="' * 60_000 + b"\r\n\r\nx",
        b"From: " + b"<" * 250_000 + b"\r\nX-Failed-Recipients: a@b\r\n\r\n" + b"-" * 250_000,
        b"From: mailer-daemon@x.example\r\n\r\nfailed permanently:" + b"-" * 250_000,
        b"From: mailer-daemon@x.example\r\n\r\nfailed permanently:" + b"a@b.c," * 40_000,
        b"From: mailer-daemon@x.example\r\n\r\nfailed permanently:" + b"\nMessage-ID:" * 20_000,
        b"Content-Type: message/delivery-status\r\n\r\n" + b"a:b\r\n\r\n" * 35_000,
        returned() + b"x" * 20_000_000,
    ],
    ids=["boundaries", "mails", "parts", "parameters", "brackets", "dashes", "addresses", "ids", "groups", "long"],
)
def test_what_is_made_to_be_hard_to_read_takes_no_time(mail):
    begun = time.process_time()
    reports.read(mail)
    assert time.process_time() - begun < 4
