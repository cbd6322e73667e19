"""Mails over a real connection: what arrives, and what is said when it does not."""

from datetime import UTC, datetime

import pytest

from billing_core.connections import mail_server
from billing_core.errors import UpstreamFailed
from billing_core.outbox import smtp
from billing_core.outbox.delivery import Refused
from billing_core.outbox.mail import Attachment, compose
from tests.outbox.post_office import MailServer, PostOffice, authority, free_port

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SENDER = "billing@ours.example"
PDF = Attachment("INV-2026-001.pdf", "application/pdf", b"%PDF-1.4 \x00\xff")


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


def a_mail(*to, key="k1", subject="Rechnung für Müller 🧾", **content):
    known = {"text": "Schöne Grüße\n", "html": "<p>Schöne Grüße</p>", "sender_name": "Müller, Söhne & Co"}
    known |= {"reply_to": "ask@ours.example", "language": "de"}
    return compose(
        key=key,
        to=to or ["ap@acme.example"],
        subject=subject,
        content=known | content,
        sender=SENDER,
        attachments=[PDF],
        written_at=NOW,
    )


def send(url, *recipients, **facts):
    receivers = recipients or ("ap@acme.example",)
    return smtp.send(mail_server(url), a_mail(*receivers, **facts), recipients=receivers, sender=SENDER)


def test_a_mail_arrives_as_it_was_written(office):
    with MailServer(office) as url:
        send(url)
    (mail,) = office.mails
    assert mail["Subject"] == "Rechnung für Müller 🧾"
    assert mail["From"].addresses[0].display_name == "Müller, Söhne & Co"
    assert mail["From"].addresses[0].addr_spec == SENDER
    assert mail["Reply-To"].addresses[0].addr_spec == "ask@ours.example"
    assert mail["Content-Language"] == "de"
    assert mail.get_body(["plain"]).get_content().strip() == "Schöne Grüße"
    assert "<p>Schöne Grüße</p>" in mail.get_body(["html"]).get_content()
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("INV-2026-001.pdf", "application/pdf")
    assert attached.get_content() == PDF.content


def test_the_same_key_has_the_same_message_id_and_another_key_another():
    ids = [a_mail(key=key)["Message-ID"] for key in ("k1", "k1", "k2")]
    assert ids[0] == ids[1] != ids[2]


def test_a_subject_of_several_lines_adds_no_header():
    assert a_mail(subject="Hello\r\nBcc: eve@evil.example")["Bcc"] is None


def test_a_domain_with_umlauts_and_a_name_with_them_arrive(office):
    with MailServer(office) as url:
        send(url, "ap@müller.example")
        send(url, "kontakt@straße.example")
        send(url, "jörg@acme.example")
    assert office.taken_for == ["ap@xn--mller-kva.example", "kontakt@xn--strae-oqa.example", "jörg@acme.example"]
    # By RFC 6532 as it is, and for everybody else in ASCII.
    assert "\r\nTo: jörg@acme.example\r\n".encode() in office.contents[2]
    assert all(content.partition(b"\r\n\r\n")[0].isascii() for content in office.contents[:2])


def test_a_server_without_smtputf8_is_told_no_name_beyond_ascii(office):
    with MailServer(office, utf8=False) as url:
        with pytest.raises(Refused) as refusal:
            send(url, "jörg@acme.example")
        answers = send(url, "jörg@acme.example", "ap@müller.example")
        with pytest.raises(Refused, match=r"beyond ASCII in böse@ours\.example"):
            send(url, reply_to="böse@ours.example")
    assert str(refusal.value) == (
        f"The mail server {url.removeprefix('smtp://')} does not take the letters beyond ASCII in jörg@acme.example: "
        "it does not offer SMTPUTF8. Use another address, or set up a mail server that does"
    )
    # The others get it, and nobody reads an address that no mail program understands.
    assert [(one, answer.final) for one, answer in answers.items()] == [("jörg@acme.example", True)]
    (mail,) = office.mails
    assert (office.taken_for, str(mail["To"])) == (["ap@xn--mller-kva.example"], "ap@xn--mller-kva.example")


def test_who_of_several_is_refused_is_told_and_the_others_have_it(office):
    office.refused = {"gone@acme.example": "550 No such user", "full@acme.example": "452 Mailbox full"}
    with MailServer(office) as url:
        answers = send(url, "ap@acme.example", "gone@acme.example", "full@acme.example", "cfo@acme.example")
        with pytest.raises(UpstreamFailed, match=r"gone@acme.example: 550.*; .*full@acme.example: 452") as nobody:
            send(url, "gone@acme.example", "full@acme.example")
        with pytest.raises(Refused):
            send(url, "gone@acme.example")
    assert office.taken_for == ["ap@acme.example", "cfo@acme.example"]
    assert {one: (answer.text.partition(": ")[2], answer.final) for one, answer in answers.items()} == {
        "gone@acme.example": ("550 No such user", True),
        "full@acme.example": ("452 Mailbox full", False),
    }
    # The full mailbox may have room later.
    assert not isinstance(nobody.value, Refused)


def test_an_odd_farewell_does_not_make_a_taken_mail_a_failure(office):
    office.farewell = "500 What?"
    with MailServer(office) as url:
        send(url)
    assert len(office.mails) == 1


def test_a_recipient_that_never_will_be_taken_is_refused_and_a_busy_one_is_not(office):
    office.refused = {"gone@acme.example": "550 No such user", "full@acme.example": "452 Mailbox full"}
    with MailServer(office) as url:
        with pytest.raises(Refused, match=r"does not take mail for gone@acme.example: 550 No such user$"):
            send(url, "gone@acme.example")
        with pytest.raises(UpstreamFailed, match="452 Mailbox full") as busy:
            send(url, "full@acme.example")
    assert not isinstance(busy.value, Refused)
    assert office.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_login_is_used_and_a_wrong_password_is_said_without_showing_it(office):
    with MailServer(office, login=("bill@ours.example", "p@ss/word")) as url:
        place = url.removeprefix("smtp://")
        send(f"smtp://bill%40ours.example:p%40ss%2Fword@{place}?starttls=0")
        with pytest.raises(UpstreamFailed, match="does not accept the user or the password") as wrong:
            send(f"smtp://bill%40ours.example:hunter2@{place}?starttls=0")
        with pytest.raises(UpstreamFailed, match="530") as missing:
            send(url)
    assert len(office.mails) == 1
    assert "hunter2" not in str(wrong.value)
    # Once the settings are right the same mails will be taken.
    assert not isinstance(wrong.value, Refused)
    assert not isinstance(missing.value, Refused)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_password_is_not_sent_in_the_clear_unless_somebody_says_so(office):
    with MailServer(office, login=("u", "p")) as url:
        place = url.removeprefix("smtp://")
        with pytest.raises(UpstreamFailed, match="the password was not sent"):
            send(f"smtp://u:p@{place}")
        with pytest.raises(UpstreamFailed, match="offers no encryption, and BILLING_SMTP_URL asks for it"):
            send(f"smtp://u:p@{place}?starttls=1")
    assert office.mails == []


@pytest.mark.parametrize(("tls", "query"), [("from the start", ""), ("offered", ""), ("offered", "?starttls=1")])
def test_an_encrypted_connection_needs_a_certificate_that_we_trust(office, monkeypatch, tmp_path, tls, query):
    trusted = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(trusted)
    with MailServer(office, tls=tls) as url:
        with pytest.raises(UpstreamFailed, match=r"certificate of the mail server .* is not valid"):
            send(url + query)
        assert office.mails == []
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        send(url + query)
    assert len(office.mails) == 1


def test_a_server_that_is_down_elsewhere_or_not_encrypted_is_named(office):
    port = free_port()
    with pytest.raises(UpstreamFailed, match=f"127.0.0.1:{port} cannot be reached: Connection refused"):
        send(f"smtp://127.0.0.1:{port}")
    with pytest.raises(UpstreamFailed, match="its name cannot be resolved"):
        send("smtp://mail.invalid:25")
    with MailServer(office) as url, pytest.raises(UpstreamFailed, match="is the port right"):
        send(url.replace("smtp:", "smtps:"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 587, "offered")),
        ("smtp://u:p@mail.example:25?starttls=1", ("mail.example", 25, "required")),
        ("smtp://mail.example?starttls=0", ("mail.example", 587, "never")),
        ("smtps://mail.example", ("mail.example", 465, "from the start")),
    ],
)
def test_what_an_address_of_a_server_means(url, expected):
    server = mail_server(url)
    assert (server.host, server.port, server.tls) == expected
    assert "p" not in repr(server.password) or "password" not in repr(server)


@pytest.mark.parametrize(
    "url", ["mail.example", "http://u:secret@x", "smtp://u:secret@x:port", "smtp://x?starttls=yes"]
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match="must read smtp://user:password@host") as refusal:
        mail_server(url)
    assert "secret" not in str(refusal.value)
