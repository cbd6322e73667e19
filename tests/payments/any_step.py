"""Books in which much has happened already, and every step that people may take in them next.

A step draws what fits it, and one time in eight something else, which may be refused.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, and_, exists, select, true
from sqlalchemy.orm import Session

from billing_core.businesses import service as businesses
from billing_core.customers.models import Customer
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, service
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.money import Money
from billing_core.payments import credit, received, refunds, write_offs
from billing_core.payments.models import Allocation, Payment, PaymentMethod
from billing_core.payments.refunds import MoneyBack
from tests.payments.books import NOW, TODAY, a_customer, a_draft, an_open_invoice, bank_transfer

EVERY = true()
AMOUNTS = st.integers(1, 30_000)
PRICES = st.sampled_from(["0", "0.01", "1", "99.99", "123.45"])
TAXES = st.sampled_from(["0", "7", "19"])

Credit = Counter[tuple[int, int, str]]


def prepare(session: Session) -> None:
    """Carla's invoices of two businesses in each state that a step starts from, and another customer's."""
    second = businesses.create(
        session, SYSTEM, wanted=businesses.Details("Second", "Road 2", "", "EUR", "UTC"), now=NOW
    )
    carla, other = a_customer(session), a_customer(session, "C2")
    for price in ("10", "20", "30"):
        a_draft(session, carla, price, "10")
    for price in ("100", "33.33", "0.07"):
        an_open_invoice(session, carla, price, tax_rate="19")
    paid, paid_twice, by_credit, given_up, given_up_in_part = (an_open_invoice(session, carla) for _ in range(5))
    in_dollars = an_open_invoice(session, carla, "50", currency="USD")
    of_second = [an_open_invoice(session, carla, "80", tax_rate="7", business_id=second.id) for _ in range(2)]
    of_other = an_open_invoice(session, other, "70")

    _pay(session, paid, 100_00)
    _pay(session, paid_twice, 30_00)
    # 25.00 of it, and below 10.00, 12.00 and 5.00 of others, are kept as credit.
    _pay(session, paid_twice, 95_00)
    credit.apply(session, SYSTEM, by_credit.id, amount_minor=5_00, today=TODAY, now=NOW)
    _pay(session, in_dollars, 60_00)
    _pay(session, of_second[0], 97_60)
    _pay(session, of_other, 75_00)
    write_offs.write_off(session, SYSTEM, given_up.id, reason="gone", today=TODAY, now=NOW)
    released = _pay(session, given_up_in_part, 25_00)
    allocation_id = session.scalars(select(Allocation.id).where(Allocation.payment_id == released.id)).one()
    credit.release(session, SYSTEM, allocation_id, reason="wrong", today=TODAY, now=NOW)
    received.undo(session, SYSTEM, released.id, reason="wrong", today=TODAY, now=NOW)
    _pay(session, given_up_in_part, 40_00)
    write_offs.write_off(session, SYSTEM, given_up_in_part.id, amount_minor=20_00, reason="x", today=TODAY, now=NOW)


def _pay(session: Session, invoice: Invoice, amount: int) -> Payment:
    money = bank_transfer(amount, currency=invoice.currency)
    return received.record_for(session, SYSTEM, invoice.id, received=money, today=TODAY, now=NOW)


@dataclass
class Books:
    """The stored books, and the drawing of what a step needs."""

    session: Session
    draw: Callable[[st.SearchStrategy[Any]], Any]

    def one(self, entity: Any, *fits: ColumnElement[bool], among: ColumnElement[bool] = EVERY) -> Any:
        """One of those that fit where there are any."""
        rows = self.session.execute(select(entity.id, and_(EVERY, *fits)).where(among).order_by(entity.id)).all()
        ids = [row_id for row_id, _ in rows]
        return self.session.get_one(entity, self.of([row_id for row_id, fit in rows if fit], ids))

    def of(self, fitting: list[Any], every: list[Any]) -> Any:
        fits = fitting and self.draw(st.integers(0, 7)) < 7
        return self.draw(st.sampled_from(fitting if fits else every))

    def part(self, most: int) -> int:
        """All, a part, or sometimes more than there is."""
        return self.draw(st.just(max(most, 1)) | st.integers(1, most + most // 8 + 1))

    def all_or_part(self, most: int) -> int | None:
        return self.draw(st.none()) if self.draw(st.booleans()) else self.part(most)

    def credit(self) -> Credit:
        """What each (business, customer, currency) has as credit by the ledger, in minor units."""
        columns = LedgerPosting.business_id, LedgerPosting.customer_id, LedgerPosting.currency
        found: Credit = Counter()
        posted = select(*columns, LedgerPosting.amount_minor).where(LedgerPosting.account == Account.CUSTOMER_CREDIT)
        # In their order: PostgreSQL would put some where the rows of a former example were.
        for *key, minor in self.session.execute(posted.order_by(LedgerPosting.id)):
            found[*key] -= minor
        return found


# A step that lacks nothing but the time.
Step = Callable[..., Any]
OPEN = Invoice.state == InvoiceState.OPEN
REFUNDABLE = and_(Invoice.state == InvoiceState.PAID, Invoice.refunded_minor < Invoice.paid_minor)
# What an invoice has received, and has not given back, is as much as the allocation.
ENOUGH_IS_PAID = exists().where(
    Invoice.id == Allocation.invoice_id, Invoice.paid_minor - Invoice.refunded_minor >= Allocation.amount_minor
)


def draft(books: Books) -> Step:
    customer, prices = books.one(Customer), [books.draw(PRICES), "10"]
    tax = books.draw(TAXES)
    return lambda now: a_draft(books.session, customer, *prices, tax_rate=tax)


def send(books: Books) -> Step:
    invoice = books.one(Invoice, Invoice.state == InvoiceState.DRAFT)
    return partial(service.send, books.session, SYSTEM, invoice.id)


def discard(books: Books) -> Step:
    invoice = books.one(Invoice, Invoice.state == InvoiceState.DRAFT)
    return partial(service.discard, books.session, SYSTEM, invoice.id)


def cancel(books: Books) -> Step:
    untouched = (Invoice.paid_minor == 0, Invoice.written_off_minor == 0, Invoice.credited_minor == 0)
    return _for(books, after_sending.cancel, books.one(Invoice, OPEN, *untouched))


def pay_some(books: Books) -> Step:
    """To an open invoice or, as whatever is received is recorded, to any: too much becomes credit."""
    invoice, amount = books.one(Invoice, OPEN), books.draw(AMOUNTS)
    money = bank_transfer(amount, currency=invoice.currency, fee_minor=books.draw(st.integers(0, 1)))
    return _for(books, received.record_for, invoice, received=money)


def pay_in_full(books: Books) -> Step:
    invoice = books.one(Invoice, OPEN)
    money = bank_transfer(invoice.due_minor or 1, currency=invoice.currency)
    return _for(books, received.record_for, invoice, received=money)


def pay_two(books: Books) -> Step:
    """One payment for two invoices; sometimes of two customers or businesses, which is refused."""
    first = books.one(Invoice, OPEN)
    alike = [getattr(Invoice, name) == getattr(first, name) for name in ("customer_id", "business_id", "currency")]
    second = books.one(Invoice, OPEN, Invoice.id != first.id, *alike)
    amounts = {one.id: books.part(one.due_minor) for one in (first, second)}
    return _receive(books, first, sum(amounts.values()) + books.draw(st.integers(0, 500)), amounts)


def pay_ahead(books: Books) -> Step:
    """Money that pays no invoice yet."""
    return _receive(books, books.one(Invoice), books.draw(AMOUNTS), {})


def undo_payment(books: Books) -> Step:
    refunded = (
        exists()
        .where(Allocation.payment_id == Payment.id, Allocation.undone_at.is_(None))
        .where(Allocation.invoice_id == Invoice.id, Invoice.refunded_minor > 0)
    )
    payment = books.one(Payment, Payment.undone_at.is_(None), ~refunded)
    return _for(books, received.undo, payment, reason="wrong")


def undo_payment_again(books: Books) -> Step:
    payment = books.one(Payment, among=Payment.undone_at.is_not(None))
    return _refused(_for(books, received.undo, payment, reason="wrong"))


def apply_credit(books: Books) -> Step:
    there = books.credit()
    invoices = books.session.scalars(select(Invoice).order_by(Invoice.id)).all()
    usable = {one: min(one.due_minor, there[one.business_id, one.customer_id, one.currency]) for one in invoices}
    invoice = books.of([one for one, amount in usable.items() if amount > 0], list(usable))
    return _for(books, credit.apply, invoice, amount_minor=books.part(max(usable[invoice], 0)))


def release(books: Books) -> Step:
    standing = Allocation.undone_at.is_(None)
    return _for(books, credit.release, books.one(Allocation, standing, ENOUGH_IS_PAID), reason="wrong")


def release_again(books: Books) -> Step:
    """It would be credit twice."""
    undone = books.one(Allocation, ENOUGH_IS_PAID, among=Allocation.undone_at.is_not(None))
    return _refused(_for(books, credit.release, undone, reason="wrong"))


def pay_out(books: Books) -> Step:
    there = books.credit()
    key = books.of([key for key, amount in there.items() if amount > 0], list(there))
    business_id, customer_id, currency = key
    return partial(
        credit.pay_out,
        books.session,
        SYSTEM,
        customer_id=customer_id,
        business_id=business_id,
        amount=Money(books.part(there[key]), currency),
        method=PaymentMethod.CASH,
        reason="asked",
        today=TODAY,
    )


def refund(books: Books) -> Step:
    return _refund(books, PaymentMethod.CASH)


def refund_as_credit(books: Books) -> Step:
    return _refund(books, None)


def credit_note(books: Books) -> Step:
    invoice = books.one(Invoice, OPEN)
    amount = books.all_or_part(invoice.due_minor)
    return _for(books, credit_notes.issue, invoice, amount_minor=amount, reason="x", issued_on=TODAY)


def write_off(books: Books) -> Step:
    invoice = books.one(Invoice, OPEN)
    return _for(books, write_offs.write_off, invoice, amount_minor=books.all_or_part(invoice.due_minor), reason="gone")


def undo_write_off(books: Books) -> Step:
    return _for(books, write_offs.undo_write_off, books.one(Invoice, Invoice.written_off_minor > 0), reason="back")


def _for(books: Books, verb: Callable[..., Any], subject: Any, **facts: Any) -> Step:
    return partial(verb, books.session, SYSTEM, subject.id, **facts, today=TODAY)


def _refused(take: Step) -> Step:
    def refused(now: datetime) -> None:
        with pytest.raises(Conflict):
            take(now=now)

    return refused


def _receive(books: Books, of: Invoice, amount: int, allocations: dict[int, int]) -> Step:
    return partial(
        received.record,
        books.session,
        SYSTEM,
        customer_id=of.customer_id,
        business_id=of.business_id,
        received=bank_transfer(amount, currency=of.currency),
        allocations=allocations,
        today=TODAY,
    )


def _refund(books: Books, method: PaymentMethod | None) -> Step:
    invoice = books.one(Invoice, REFUNDABLE)
    amount = books.all_or_part(invoice.paid_minor - invoice.refunded_minor)
    return _for(books, refunds.refund, invoice, wanted=MoneyBack("returned", method, TODAY, amount))


STEPS = (
    *(draft, send, discard, cancel, credit_note, write_off, undo_write_off),
    *(pay_some, pay_in_full, pay_two, pay_ahead, undo_payment, undo_payment_again),
    *(apply_credit, release, release_again, pay_out, refund, refund_as_credit),
)
