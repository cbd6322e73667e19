"""Whose an address is that a mail came back from, and whether it still is."""

from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, literal, literal_column, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.bounces.models import Bounce
from billing_core.customers.models import Customer
from billing_core.email_addresses import on_the_wire
from billing_core.invoices.models import Invoice, InvoiceState

_BETWEEN: Final = ", "
# What came back and nobody has dismissed, in the words of its index: SQLite would not know “final = 1” again.
UNDISMISSED: Final = and_(literal_column("mail_bounces.final"), Bounce.dismissed_at.is_(None))


def key_of(address: str) -> str:
    """By which one address is the same in any spelling; case decides nowhere in the product."""
    return on_the_wire(address).lower()


def is_on_record(session: Session, address: str, *, customer_id: int | None, invoice_id: int | None) -> bool:
    """Whether the customer or the invoice has this address, in any of its lists."""
    known = func.lower(literal(address))
    of_customer = select(Customer.id).where(Customer.id == customer_id, _customer_has(known))
    of_invoice = select(Invoice.id).where(Invoice.id == invoice_id, _invoice_has(known))
    return session.scalar(select(or_(of_customer.exists(), of_invoice.exists()))) or False


def needs_attention() -> ColumnElement[bool]:
    """In SQL, of bounces with their customers and invoices, if any, joined: the next mail would come back too, or an
    open invoice went to an address that nobody has on record.
    """
    known = func.lower(Bounce.address)
    is_open = Invoice.state == InvoiceState.OPEN
    return and_(
        UNDISMISSED,
        or_(
            and_(Bounce.on_record, or_(_customer_has(known), and_(is_open, _invoice_has(known)))),
            and_(~Bounce.on_record, or_(Bounce.invoice_id.is_(None), is_open)),
        ),
    )


def _customer_has(address: ColumnElement[str]) -> ColumnElement[bool]:
    lists = (Customer.email, Customer.further_emails, Customer.cc_emails, Customer.bcc_emails)
    return _in_one_of(lists, address)


def _invoice_has(address: ColumnElement[str]) -> ColumnElement[bool]:
    lists = (Invoice.customer_email, Invoice.further_emails, Invoice.cc_emails, Invoice.bcc_emails)
    return _in_one_of(lists, address)


def _in_one_of(lists: tuple[InstrumentedAttribute[Any], ...], address: ColumnElement[str]) -> ColumnElement[bool]:
    """As a whole address: ``ana@acme.example`` is not ``susana@acme.example``."""
    listed: ColumnElement[str] = literal(_BETWEEN)
    for one in lists:
        listed = listed + func.coalesce(one, "") + _BETWEEN
    listed = func.lower(listed)
    return func.replace(listed, _BETWEEN + address + _BETWEEN, "") != listed
