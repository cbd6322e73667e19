"""Composing a mail: the same for sending, previewing and downloading."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any


@dataclass(frozen=True, slots=True)
class Attachment:
    """``media_type`` such as "application/pdf"."""

    name: str
    media_type: str
    content: bytes


def compose(
    *,
    key: str,
    recipient: str,
    subject: str,
    content: dict[str, Any],
    sender: str,
    attachments: Sequence[Attachment],
    written_at: datetime,
) -> EmailMessage:
    """``content`` has ``text`` and ``html``, and may have ``sender_name``, ``reply_to`` and ``language``.

    The same key always gives the same Message-ID.
    """
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = " ".join(subject.split())
    mail["From"] = _address(sender, content.get("sender_name", ""))
    mail["To"] = _address(recipient)
    if content.get("reply_to"):
        mail["Reply-To"] = _address(content["reply_to"], content.get("sender_name", ""))
    mail["Date"] = written_at
    mail["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{on_the_wire(sender).rpartition('@')[2]}>"
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


def on_the_wire(address: str) -> str:
    """The address with its domain as mail servers know it: ``ap@müller.example`` is ``ap@xn--mller-kva.example``."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:  # not a possible domain: the mail server will say so
        return address


def _address(address: str, name: str = "") -> Address:
    local, _, domain = on_the_wire(address).rpartition("@")
    return Address(" ".join(name.split()), local, domain)
