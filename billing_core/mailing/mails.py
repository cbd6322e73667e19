"""A letter as a message of the outbox."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from billing_core.customers.models import Customer
from billing_core.invoices.issuers import Issuer
from billing_core.invoices.models import Invoice
from billing_core.invoices.rows import InvoiceView
from billing_core.mailing.letters import Letter
from billing_core.mailing.models import MailKind
from billing_core.outbox.queries import Earlier
from billing_core.outbox.service import Message
from billing_core.recipients import Recipients, in_a_list
from billing_core.settings import settings

MAIL: Final = "mail"


def recipients_of_invoice(invoice: Invoice | InvoiceView) -> Recipients:
    """Who gets the mails about it: its addresses, not the customer's of today."""
    to = in_a_list((invoice.customer_email, invoice.further_emails))
    return Recipients.read(to, invoice.cc_emails, invoice.bcc_emails)


def recipients_of_customer(customer: Customer) -> Recipients:
    """Who gets the mails that are about no invoice."""
    to = in_a_list((customer.email, customer.further_emails))
    return Recipients.read(to, customer.cc_emails, customer.bcc_emails)


def mail(
    kind: MailKind,
    *,
    subject: tuple[str, int],
    to: Recipients,
    customer_id: int,
    letter: Letter,
    sender: Issuer,
    attachments: Sequence[Sequence[Any]],
    name: str,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Message:
    """A letter as a message of the outbox; ``name`` is its key, unique for ever; ``facts`` are stored with it.

    Without a mail server it is kept from the start: whoever is told so relies on it, so that one that is set up a
    minute later must not send it.
    """
    return Message(
        channel=MAIL,
        topic=kind.value,
        key=name,
        recipient=to.to[0],
        receivers=to,
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
            **facts,
        },
        kept=not settings().sends_mails,
    )


def key(before: Earlier | None, public_id: str) -> str:
    """A key by the count of mails about a document; recalled ones count, so that the next key is a new one."""
    return f"mail:{public_id}:{(before.count if before else 0) + 1}"
