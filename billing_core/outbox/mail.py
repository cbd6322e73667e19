"""Composing a mail: the same for sending, previewing and downloading."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final

from billing_core.email_addresses import mailbox, on_the_wire

# A line of a header has 78 characters, the first one "Subject: " among them.
_LONGEST_WORD: Final = 60


@dataclass(frozen=True, slots=True)
class Attachment:
    """``media_type`` such as "application/pdf"."""

    name: str
    media_type: str
    content: bytes


def compose(
    *,
    key: str,
    to: Sequence[str],
    cc: Sequence[str] = (),
    subject: str,
    content: dict[str, Any],
    sender: str,
    attachments: Sequence[Attachment],
    written_at: datetime,
) -> EmailMessage:
    """``content`` has ``text`` and ``html``, and may have ``sender_name``, ``reply_to`` and ``language``.

    The same key always gives the same Message-ID. Who gets a blind copy stands nowhere in it.
    """
    mail = EmailMessage(policy=SMTP)
    mail.set_raw("Subject", _encoded(" ".join(subject.split())))
    mail["From"] = _address(sender, content.get("sender_name", ""))
    mail["To"] = [_address(one) for one in to]
    if cc:
        mail["Cc"] = [_address(one) for one in cc]
    if content.get("reply_to"):
        mail["Reply-To"] = _address(content["reply_to"], content.get("sender_name", ""))
    mail["Date"] = written_at
    mail["Message-ID"] = f"<{mail_id(key)}@{on_the_wire(sender).rpartition('@')[2]}>"
    # Suppresses out-of-office replies.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(content["text"])
    if content.get("html"):
        mail.add_alternative(content["html"], subtype="html")
    for attachment in attachments:
        kind, _, subtype = attachment.media_type.partition("/")
        mail.add_attachment(attachment.content, maintype=kind, subtype=subtype, filename=attachment.name)
    # Last, because setting the content removes these headers.
    if content.get("language"):
        mail["Content-Language"] = content["language"]
    return mail


def _encoded(subject: str) -> str:
    """As it is sent: whole in encoded words, unless its own words are plain and fit on lines. EmailMessage encodes word
    by word, and where it breaks a line before such a word the receiver reads two blanks.
    """
    plain = subject.isascii() and "=?" not in subject and max(map(len, subject.split()), default=0) <= _LONGEST_WORD
    return Header(subject, "us-ascii" if plain else "utf-8", header_name="Subject").encode()


def mail_id(key: str) -> str:
    """What stands before the @ of its Message-ID."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def as_bytes(mail: EmailMessage) -> bytes:
    """As it is sent and kept; addresses and names in it stay as they are where ASCII cannot say them."""
    return mail.as_bytes(policy=SMTP.clone(utf8=bool(beyond_ascii(mail))))


def beyond_ascii(mail: EmailMessage) -> list[str]:
    """The addresses in its headers that only mail servers with SMTPUTF8 carry (RFC 6531)."""
    headers = (mail[name] for name in ("From", "Reply-To", "To", "Cc"))
    return [one.addr_spec for header in headers if header for one in header.addresses if not one.addr_spec.isascii()]


def _address(address: str, name: str = "") -> Address:
    local, domain = mailbox(address)
    return Address(" ".join(name.split()), local, domain)
