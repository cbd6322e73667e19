"""Credit that a customer has ahead of its usage, and invoices of usage that it pays."""

from datetime import date

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceLineItem
from billing_core.payments import sending
from billing_core.payments.models import Allocation, AllocationKind
from billing_core.payments.prepaid import granting, upkeep, verification
from billing_core.payments.prepaid.models import PrepaidGrant, PrepaidPurchase
from tests.payments.books import NOW, TODAY, a_draft, pay


def give(session: Session, customer: Customer, amount_minor: int, expires_on: date | None = None, **facts) -> int:
    known = {"amount_minor": amount_minor, "expires_on": expires_on, "reason": "Welcome", "today": TODAY, "now": NOW}
    return granting.give(session, SYSTEM, customer.id, **known | facts).id


def sell(session: Session, customer: Customer, amount_minor: int, valid_days: int | None = None) -> PrepaidPurchase:
    """Sold by an invoice that is sent, and not paid."""
    facts = {"amount_minor": amount_minor, "valid_days": valid_days, "today": TODAY, "now": NOW}
    purchase = granting.sell(session, SYSTEM, customer.id, **facts)
    sending.send(session, SYSTEM, purchase.invoice_id, now=NOW)
    return purchase


def buy(session: Session, customer: Customer, amount_minor: int, valid_days: int | None = None) -> int:
    """Sold, paid and credited; the grant's id."""
    purchase = sell(session, customer, amount_minor, valid_days)
    pay(session, customer, amount_minor, **{str(purchase.invoice_id): amount_minor})
    keep_up(session)
    return session.scalars(select(PrepaidGrant.id).where(PrepaidGrant.purchase_id == purchase.id)).one()


def a_usage_draft(session: Session, customer: Customer, price: str = "100", **facts) -> Invoice:
    """A draft whose line bills usage."""
    invoice = a_draft(session, customer, price, **facts)
    of_invoice = InvoiceLineItem.invoice_id == invoice.id
    session.execute(update(InvoiceLineItem).where(of_invoice).values(usage_line_id=invoice.id))
    return invoice


def use(session: Session, customer: Customer, price: str = "100", *, now=NOW, **facts) -> Invoice:
    """An invoice of usage that is sent."""
    return sending.send(session, SYSTEM, a_usage_draft(session, customer, price, **facts).id, now=now)


def keep_up(session: Session, *, now=NOW) -> int:
    """Everything that happens to credit by itself; how many things."""
    done = 0
    while upkeep.due(session, now=now):
        assert upkeep.count_due(session, now=now) > 0
        done += upkeep.run(session, SYSTEM, now=now, limit=2)
    assert upkeep.count_due(session, now=now) == 0
    return done


def left(session: Session) -> list[int]:
    """What is left of each grant, in the order of their creation."""
    session.flush()
    return list(session.scalars(select(PrepaidGrant.remaining_minor).order_by(PrepaidGrant.id)))


def prepaid(session: Session, invoice: Invoice) -> list[Allocation]:
    """What credit pays of the invoice."""
    standing = (Allocation.invoice_id == invoice.id, Allocation.undone_at.is_(None))
    kind = Allocation.kind == AllocationKind.PREPAID
    return list(session.scalars(select(Allocation).where(*standing, kind).order_by(Allocation.id)))


def wrong_in(session: Session) -> list[str]:
    """What ``verify`` finds wrong about credit."""
    return [wrong for check in verification.checks(session) for wrong in check.wrong]
