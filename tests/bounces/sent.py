"""An invoice that was mailed, as far as the mail server knows."""

from sqlalchemy.orm import Session

from billing_core.bounces import recording, reports
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.mailing import service as mailing
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.recipients import LISTS, Recipients
from tests.bounces.returned import returned
from tests.invoices.company import GRACE, NOW, TODAY, a_customer, an_invoice


def a_mailed_invoice(
    session: Session, *, to: Recipients | None = None, **customer: str
) -> tuple[Invoice, OutboxMessage]:
    """To ap@acme.example unless told otherwise."""
    invoice = an_invoice(session, a_customer(session, **customer))
    for name in LISTS:
        setattr(invoice, name, customer.get(name, ""))
    session.flush()
    message_id = mailing.send_invoice(session, GRACE, invoice.id, now=NOW, today=TODAY, to=to)
    return invoice, taken(session, message_id)


def taken(session: Session, message_id: int) -> OutboxMessage:
    """The mail server has taken it, for everybody."""
    message = session.get_one(OutboxMessage, message_id)
    message.state, message.attempts, message.delivered_at = MessageState.DELIVERED, 1, NOW
    session.flush()
    return message


def a_returned_mail(session: Session, customer_id: int) -> None:
    """An invoice of this customer's was mailed to ap@acme.example, and came back."""
    invoice = an_invoice(session, customer_id)
    message = taken(session, mailing.send_invoice(session, GRACE, invoice.id, now=NOW, today=TODAY))
    recording.record(session, SYSTEM, reports.read(returned(key=message.key)), now=NOW)
