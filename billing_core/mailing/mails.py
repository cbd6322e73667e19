"""A letter as a message of the outbox."""

from collections.abc import Sequence
from typing import Any, Final

from billing_core.email_addresses import address_fault
from billing_core.errors import Invalid
from billing_core.invoices.issuers import Issuer
from billing_core.mailing.letters import Letter
from billing_core.mailing.models import MailKind
from billing_core.outbox.queries import Earlier
from billing_core.outbox.service import Message

MAIL: Final = "mail"


def address(text: str) -> str:
    """The e-mail address to send to; Invalid where it is none."""
    recipient = text.strip()
    if not recipient:
        raise Invalid("There is no e-mail address to send to", fields={"to": "is needed"})
    if fault := address_fault(recipient):
        raise Invalid(f"“{recipient}” {fault}", fields={"to": fault})
    return recipient


def mail(
    kind: MailKind,
    *,
    subject: tuple[str, int],
    to: str,
    customer_id: int,
    letter: Letter,
    sender: Issuer,
    attachments: Sequence[Sequence[Any]],
    name: str,
) -> Message:
    """A letter as a message of the outbox; ``name`` is its key, unique for ever."""
    return Message(
        channel=MAIL,
        topic=kind.value,
        key=name,
        recipient=to,
        title=letter.subject,
        subject=subject,
        customer_id=customer_id,
        content={
            "text": letter.text,
            "html": letter.html,
            "language": letter.language,
            "sender_name": sender.name,
            "reply_to": sender.email,
            "attachments": [list(reference) for reference in attachments],
        },
    )


def key(before: Earlier | None, public_id: str) -> str:
    """A key by the count of mails about a document; recalled ones count, so that the next key is a new one."""
    return f"mail:{public_id}:{(before.count if before else 0) + 1}"
