"""What a mail is made of."""

import email
import email.policy
import hashlib
from datetime import UTC, datetime

import pytest

from billing_core.outbox.mail import Attachment, as_bytes, compose

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def a_mail(*attachments, sender="billing@ours.example", subject="Invoice", **content):
    return compose(
        key="k1",
        to=["ap@acme.example"],
        subject=subject,
        content={"text": "Hello\n", **content},
        sender=sender,
        attachments=attachments,
        written_at=NOW,
    )


def test_its_id_is_made_of_its_key_and_our_domain():
    expected = hashlib.sha256(b"k1").hexdigest()
    assert a_mail()["Message-ID"] == f"<{expected[:40]}@ours.example>"
    assert a_mail(sender="billing@müller.example")["Message-ID"].endswith("@xn--mller-kva.example>")


@pytest.mark.parametrize(
    "subject",
    [
        "Zahlungserinnerung: Rechnung INV-2026-637 war am 1. November 2026 fällig",
        "Rappel : la facture INV-2026-642 était à régler le 1er novembre 2026",
        "فاتورة INV-2026-007 من شركة الكتب المحدودة " * 5 + "😀",
        "Invoice =?utf-8?q?INV?= of 5 May",
        "Plain words that are longer than a line " * 6 + "end",
        "x" * 300,
    ],
)
def test_a_subject_is_read_as_it_was_written_however_long_it_is(subject):
    mail = a_mail(subject=subject)
    sent = as_bytes(mail)
    assert email.message_from_bytes(sent, policy=email.policy.default)["Subject"] == subject
    assert mail["Subject"] == subject
    # RFC 5322, 2.1.1
    assert max(len(line) for line in sent.partition(b"\r\n\r\n")[0].split(b"\r\n")) <= 78


def test_a_subject_is_one_header_whatever_stands_in_it():
    mail = email.message_from_bytes(as_bytes(a_mail(subject="One\r\nBcc: ü@acme.example")), policy=email.policy.default)
    assert (mail["Subject"], mail["Bcc"]) == ("One Bcc: ü@acme.example", None)


def test_a_plain_mail_has_a_text_and_nothing_that_was_not_given():
    mail = a_mail()
    assert (mail.get_content_type(), mail.get_content().strip()) == ("text/plain", "Hello")
    assert (str(mail["From"]), str(mail["To"])) == ("billing@ours.example", "ap@acme.example")
    assert (mail["Reply-To"], mail["Content-Language"], mail["Auto-Submitted"]) == (None, None, "auto-generated")
    assert mail["Date"].datetime == NOW


def test_each_of_what_was_given_is_in_it():
    answers = a_mail(reply_to="ask@ours.example")["Reply-To"].addresses[0]
    assert (answers.addr_spec, answers.display_name) == ("ask@ours.example", "")
    assert a_mail(reply_to="ask@ours.example", sender_name="We")["Reply-To"].addresses[0].display_name == "We"
    assert str(a_mail(sender_name=" My\r\nbusiness ")["From"]) == "My business <billing@ours.example>"
    assert a_mail(language="de")["Content-Language"] == "de"
    assert [part.get_content_type() for part in a_mail(html="<p>Hello</p>").iter_parts()] == ["text/plain", "text/html"]
    pdf, zipped = a_mail(
        Attachment("a.pdf", "application/pdf", b"%PDF"), Attachment("b.zip", "application/zip", b"PK"), language="de"
    ).iter_attachments()
    assert (pdf.get_filename(), pdf.get_content_type(), pdf.get_content()) == ("a.pdf", "application/pdf", b"%PDF")
    assert (zipped.get_filename(), zipped.get_content_type()) == ("b.zip", "application/zip")
