"""What can happen to invoices, made to happen through the services, and written down beside them the plain way.

``debts`` and ``account`` are lists of what each step means to a customer, by the words of the product and not by what
was posted: the tests add them up in Python.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, service
from billing_core.invoices.content.content import Content, DraftLine
from billing_core.invoices.models import Invoice
from billing_core.money import Money
from billing_core.payments import credit, received, refunds, write_offs
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.payments.refunds import MoneyBack

FIRST = date(2026, 1, 1)


@dataclass(frozen=True)
class Change:
    """So much more is owed (less: below 0) from that day on, known from that instant on."""

    customer_id: int
    currency: str
    amount: int
    on: date
    known: datetime
    invoice_id: int | None = None
    business_id: int = 1


@dataclass
class History:
    """``day`` is the day of the step at hand; each step has its own instant."""

    session: Session
    day: date = FIRST
    now: datetime = datetime(2026, 1, 1, 8, tzinfo=UTC)
    customers: list[Customer] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    debts: list[Change] = field(default_factory=list)
    account: list[Change] = field(default_factory=list)
    paid: list[tuple[int, dict[Invoice, int], Change]] = field(default_factory=list)

    def next_step(self, days: int) -> None:
        self.day += timedelta(days=days)
        self.now = max(self.now + timedelta(minutes=1), datetime.combine(self.day, time(8), UTC))

    def a_customer(self, ref: str) -> Customer:
        customer = Customer(business_id=1, ref=ref, name=f"Customer {ref}", currency="USD", created_at=self.now)
        self.session.add(customer)
        self.session.flush()
        self.customers.append(customer)
        return customer

    def send(
        self,
        customer: Customer,
        amount: int,
        *,
        terms: int = 30,
        currency: str = "USD",
        issued: int = 0,
        business_id: int = 1,
    ) -> Invoice:
        """An invoice of one line without tax, issued that many days ago."""
        content = Content(
            business_id=business_id,
            customer_id=customer.id,
            currency=currency,
            issued_on=self.day - timedelta(days=issued),
            due_on=self.day - timedelta(days=issued) + timedelta(days=terms),
            customer_name=customer.name,
            customer_email="ap@example.com",
            lines=(DraftLine("Work", Decimal(1), Money(amount, currency).amount, tax_rate=Decimal(0)),),
        )
        draft = service.create(self.session, SYSTEM, content, now=self.now)
        invoice = service.send(self.session, SYSTEM, draft.id, now=self.now)
        self.invoices.append(invoice)
        self._owes(invoice, amount, on=invoice.issued_on)
        return invoice

    def pay(self, invoices: dict[Invoice, int], *, kept: int = 0, days_ago: int = 0, fee: int = 0) -> int:
        first = next(iter(invoices))
        money = Received(
            first.currency,
            sum(invoices.values()) + kept,
            PaymentMethod.BANK_TRANSFER,
            self.day - timedelta(days=days_ago),
            fee_minor=fee,
        )
        payment = received.record(
            self.session,
            SYSTEM,
            customer_id=first.customer_id,
            received=money,
            allocations={invoice.id: amount for invoice, amount in invoices.items()},
            today=self.day,
            now=self.now,
        )
        for invoice, amount in invoices.items():
            self._pays(invoice, amount, on=self._owing_from(invoice, amount, money.received_on))
        change = self._accounts(first, -money.amount_minor, on=money.received_on)
        self.paid.append((payment.id, invoices, change))
        return payment.id

    def undo_payment(self, payment_id: int) -> None:
        received.undo(self.session, SYSTEM, payment_id, reason="bounced", today=self.day, now=self.now)
        found = next(one for one in self.paid if one[0] == payment_id)
        self.paid.remove(found)
        for invoice, amount in found[1].items():
            self._pays(invoice, -amount)
        self._accounts(next(iter(found[1])), -found[2].amount)

    def apply_credit(self, invoice: Invoice, amount: int) -> None:
        credit.apply(self.session, SYSTEM, invoice.id, amount_minor=amount, today=self.day, now=self.now)
        self._pays(invoice, amount)

    def credit_note(self, invoice: Invoice, amount: int) -> None:
        facts = {"reason": "returned", "issued_on": self.day, "today": self.day, "now": self.now}
        credit_notes.issue(self.session, SYSTEM, invoice.id, amount_minor=amount, **facts)
        self._owes(invoice, -amount)

    def write_off(self, invoice: Invoice, amount: int) -> None:
        facts = {"reason": "bankrupt", "today": self.day, "now": self.now}
        write_offs.write_off(self.session, SYSTEM, invoice.id, amount_minor=amount, **facts)
        self._owes(invoice, -amount)

    def cancel(self, invoice: Invoice) -> None:
        left = sum(change.amount for change in self.debts if change.invoice_id == invoice.id)
        after_sending.cancel(self.session, SYSTEM, invoice.id, now=self.now, today=self.day)
        self._owes(invoice, -left)

    def refund(self, invoice: Invoice, amount: int, method: PaymentMethod | None = PaymentMethod.BANK_TRANSFER) -> None:
        """To the customer's account money back and its credit note are nothing; kept as credit we owe it to them."""
        wanted = MoneyBack("returned", method, self.day, amount)
        refunds.refund(self.session, SYSTEM, invoice.id, wanted=wanted, today=self.day, now=self.now)
        if method is None:
            self._accounts(invoice, -amount)

    def pay_out(self, customer: Customer, amount: int, currency: str = "USD", business_id: int = 1) -> None:
        credit.pay_out(
            self.session,
            SYSTEM,
            customer_id=customer.id,
            business_id=business_id,
            amount=Money(amount, currency),
            method=PaymentMethod.BANK_TRANSFER,
            reason="asked for it",
            today=self.day,
            now=self.now,
        )
        change = Change(customer.id, currency, amount, self.day, self.now, business_id=business_id)
        self.account.append(change)

    def credit(self, business_id: int, customer_id: int, currency: str) -> int:
        """What is kept for the customer: what they paid beyond what it paid."""
        key = business_id, customer_id, currency
        owed, account = (
            sum(one.amount for one in changes if (one.business_id, one.customer_id, one.currency) == key)
            for changes in (self.debts, self.account)
        )
        return owed - account

    def _owing_from(self, invoice: Invoice, amount: int, day: date) -> date:
        """The first day, not before that one, from which on the invoice owes so much on every day."""
        days = [day + timedelta(days=later) for later in range((self.day - day).days + 1)]
        of_invoice = [change for change in self.debts if change.invoice_id == invoice.id]
        short = [one for one in days if sum(change.amount for change in of_invoice if change.on <= one) < amount]
        return short[-1] + timedelta(days=1) if short else day

    def _owes(self, invoice: Invoice, amount: int, *, on: date | None = None) -> None:
        self._pays(invoice, -amount, on=on)
        self._accounts(invoice, amount, on=on)

    def _pays(self, invoice: Invoice, amount: int, *, on: date | None = None) -> None:
        self.debts.append(self._change(invoice, -amount, on, invoice.id))

    def _accounts(self, invoice: Invoice, amount: int, *, on: date | None = None) -> Change:
        change = self._change(invoice, amount, on)
        self.account.append(change)
        return change

    def _change(self, of: Invoice, amount: int, on: date | None, invoice_id: int | None = None) -> Change:
        known = on or self.day, self.now
        return Change(of.customer_id, of.currency, amount, *known, invoice_id, business_id=of.business_id)
