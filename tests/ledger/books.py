"""Customers to post for, and entries as the rest of the product posts them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from billing_core.customers.models import Customer
from billing_core.ledger.models import Account, EntryKind
from billing_core.ledger.service import Entry, Side

TODAY = date(2026, 5, 4)
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Party:
    id: int
    business_id: int


def parties(session, ref="ACME") -> Party:
    """A customer of the business that every database has."""
    customer = Customer(business_id=1, ref=ref, name=f"{ref} Corp", currency="USD", created_at=NOW)
    session.add(customer)
    session.flush()
    return Party(customer.id, 1)


def an_entry(
    party: Party,
    kind: EntryKind,
    sides: Sequence[Side],
    *,
    document: str = "payment:1",
    currency: str = "USD",
    on: date = TODAY,
) -> Entry:
    return Entry(party.business_id, party.id, currency, kind, document, on, sides)


def an_invoice_entry(
    party: Party, invoice_id: int, *, net: int, tax: int = 0, currency: str = "USD", on: date = TODAY
) -> Entry:
    """What opening an invoice posts: one line type, one tax rate."""
    sides = [
        Side(Account.RECEIVABLE, net + tax, invoice_id=invoice_id),
        Side(Account.REVENUE, -net, "service", invoice_id),
        Side(Account.TAX_PAYABLE, -tax, "19", invoice_id),
    ]
    return an_entry(party, EntryKind.INVOICE, sides, document=f"invoice:{invoice_id}", currency=currency, on=on)


def a_payment_entry(
    party: Party, allocated: dict[int, int], *, kept: int = 0, fee: int = 0, currency: str = "USD", on: date = TODAY
) -> Entry:
    """What a payment posts: so much to each invoice, the rest kept as the customer's credit."""
    received = sum(allocated.values()) + kept
    sides = [
        Side(Account.CASH, received - fee, "bank_transfer"),
        Side(Account.FEES, fee, "bank_transfer"),
        *(Side(Account.RECEIVABLE, -amount, invoice_id=invoice_id) for invoice_id, amount in allocated.items()),
        Side(Account.CUSTOMER_CREDIT, -kept),
    ]
    return an_entry(party, EntryKind.PAYMENT, sides, currency=currency, on=on)
