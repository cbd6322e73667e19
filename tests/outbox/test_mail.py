"""What a mail is made of."""

import hashlib
from datetime import UTC, datetime

from billing_core.outbox.mail import Attachment, compose

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def a_mail(*attachments, sender="billing@ours.example", **content):
    return compose(
        key="k1",
        to=["ap@acme.example"],
        subject="Invoice",
        content={"text": "Hello\n", **content},
        sender=sender,
        attachments=attachments,
        written_at=NOW,
    )


def test_its_id_is_made_of_its_key_and_our_domain():
    expected = hashlib.sha256(b"k1").hexdigest()
    assert a_mail()["Message-ID"] == f"<{expected[:40]}@ours.example>"
    assert a_mail(sender="billing@müller.example")["Message-ID"].endswith("@xn--mller-kva.example>")


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
