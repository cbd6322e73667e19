"""A customer with invoices, and what the ledger says about them, computed the slow and plain way."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.businesses.models import Business
from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM, Actor
from billing_core.invoices import service
from billing_core.invoices.content.content import Content, DraftLine
from billing_core.invoices.models import Invoice
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.payments import received
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import Received

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
TODAY = date(2026, 3, 10)


def a_customer(session: Session, ref: str = "C1") -> Customer:
    customer = Customer(
        business_id=default_business(session).id, ref=ref, name=f"Carla {ref}", currency="EUR", created_at=NOW
    )
    session.add(customer)
    session.flush()
    return customer


def another_business(session: Session) -> Business:
    business = Business(name="Second", currency="EUR", time_zone="UTC", invoice_format="B{seq}-{year}")
    session.add(business)
    session.flush()
    return business


def a_draft(
    session: Session,
    customer: Customer,
    *prices: str,
    tax_rate: str = "0",
    currency: str = "EUR",
    business_id: int | None = None,
) -> Invoice:
    """``business_id`` None: of the customer's own business."""
    content = Content(
        business_id=business_id or customer.business_id,
        customer_id=customer.id,
        currency=currency,
        issued_on=date(2026, 3, 1),
        due_on=date(2026, 3, 31),
        customer_name=customer.name,
        customer_email="carla@example.com",
        lines=tuple(
            DraftLine(f"Work {place}", Decimal(1), Decimal(price), tax_rate=Decimal(tax_rate))
            for place, price in enumerate(prices or ("100",))
        ),
    )
    return service.create(session, SYSTEM, content, now=NOW)


def an_open_invoice(session: Session, customer: Customer, *prices: str, **facts: Any) -> Invoice:
    draft = a_draft(session, customer, *prices, **facts)
    return service.send(session, SYSTEM, draft.id, now=NOW)


def bank_transfer(amount_minor: int, *, currency: str = "EUR", fee_minor: int = 0) -> Received:
    return Received(currency, amount_minor, PaymentMethod.BANK_TRANSFER, TODAY, "RF18", fee_minor=fee_minor)


def pay(session: Session, customer: Customer, amount_minor: int, **invoices: int) -> Payment:
    """``pay(session, customer, 500, **{"7": 300})``: 3.00 of 5.00 for invoice 7."""
    allocations = {int(invoice_id): amount for invoice_id, amount in invoices.items()}
    return record(session, customer, bank_transfer(amount_minor), allocations)


def record(
    session: Session,
    customer: Customer,
    money: Received,
    allocations: dict[int, int] | None = None,
    *,
    actor: Actor = SYSTEM,
    **facts: Any,
) -> Payment:
    paid = allocations or {}
    return received.record(
        session, actor, customer_id=customer.id, received=money, allocations=paid, today=TODAY, now=NOW, **facts
    )


def accounts(session: Session, *, invoice_id: int | None = None) -> dict[str, int]:
    """What stands in each account, added up in Python; accounts at 0 are left out."""
    sums: Counter[str] = Counter()
    for account, minor, of in session.execute(
        select(LedgerPosting.account, LedgerPosting.amount_minor, LedgerPosting.invoice_id)
    ):
        if invoice_id is None or of == invoice_id:
            sums[account.value] += minor
    return {account: minor for account, minor in sorted(sums.items()) if minor}


def receivable(session: Session, invoice: Invoice) -> int:
    return accounts(session, invoice_id=invoice.id).get(Account.RECEIVABLE.value, 0)
