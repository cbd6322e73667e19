"""Whatever people do to invoices and money, in whatever order: the books stay right."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.errors import BillingError
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, lifecycle, numbering, service
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.money import Money
from billing_core.payments import credit, received, refunds, write_offs
from billing_core.payments.models import Allocation, Payment, PaymentMethod
from billing_core.payments.refunds import MoneyBack
from tests.payments.books import NOW, TODAY, a_customer, a_draft, accounts, an_open_invoice, bank_transfer, receivable

pytestmark = pytest.mark.slow

AMOUNTS = st.integers(1, 30_000)
PLACES = st.integers(0, 50)


def books(sessions):
    """The machine over one database; every example begins with an empty one."""

    class Books(RuleBasedStateMachine):
        @initialize()
        def open_the_books(self):
            self.session = Session(sessions.engine, expire_on_commit=False)
            self.session.begin()
            self.customer = a_customer(self.session)
            self.now = NOW
            for price in ("100", "33.33", "0.07"):
                an_open_invoice(self.session, self.customer, price, tax_rate="19")

        def teardown(self):
            if hasattr(self, "session"):
                self.session.rollback()
                self.session.close()

        def attempt(self, verb, *arguments, **facts):
            """A refusal is an answer too, and must have changed nothing."""
            self.now += timedelta(minutes=1)
            before = accounts(self.session)
            part = self.session.begin_nested()
            try:
                verb(self.session, SYSTEM, *arguments, **facts, now=self.now)
                part.commit()
            except BillingError:
                part.rollback()
                self.session.expire_all()
                assert accounts(self.session) == before

        def one(self, entity, place):
            """One of those that there are, or an id that nobody has."""
            ids = list(self.session.scalars(select(entity.id).order_by(entity.id)))
            return ids[place % len(ids)] if ids else 0

        @rule(price=st.sampled_from(["0", "0.01", "1", "99.99", "123.45"]), tax=st.sampled_from(["0", "7", "19"]))
        def draft(self, price, tax):
            a_draft(self.session, self.customer, price, "10", tax_rate=tax)

        @rule(place=PLACES)
        def send(self, place):
            self.attempt(service.send, self.one(Invoice, place))

        @rule(place=PLACES)
        def cancel(self, place):
            self.attempt(after_sending.cancel, self.one(Invoice, place), today=TODAY)

        @rule(place=PLACES)
        def discard(self, place):
            self.attempt(service.discard, self.one(Invoice, place))

        @rule(place=PLACES, amount=AMOUNTS, fee=st.sampled_from([0, 1]))
        def pay(self, place, amount, fee):
            money = bank_transfer(amount, fee_minor=fee)
            self.attempt(received.record_for, self.one(Invoice, place), received=money, today=TODAY)

        @rule(place=PLACES)
        def pay_in_full(self, place):
            invoice = self.session.get(Invoice, self.one(Invoice, place))
            if invoice and invoice.due_minor:
                money = bank_transfer(invoice.due_minor)
                self.attempt(received.record_for, invoice.id, received=money, today=TODAY)

        @rule(first=PLACES, second=PLACES, amount=AMOUNTS)
        def pay_two(self, first, second, amount):
            wanted = {self.one(Invoice, first): amount // 3, self.one(Invoice, second): amount // 2}
            self.attempt(
                received.record,
                customer_id=self.customer.id,
                received=bank_transfer(amount),
                allocations=wanted,
                today=TODAY,
            )

        @rule(place=PLACES)
        def undo_payment(self, place):
            self.attempt(received.undo, self.one(Payment, place), reason="wrong", today=TODAY)

        @rule(place=PLACES, amount=AMOUNTS)
        def apply_credit(self, place, amount):
            self.attempt(credit.apply, self.one(Invoice, place), amount_minor=amount, today=TODAY)

        @rule(place=PLACES)
        def release(self, place):
            self.attempt(credit.release, self.one(Allocation, place), reason="wrong", today=TODAY)

        @rule(amount=AMOUNTS)
        def pay_out(self, amount):
            self.attempt(
                credit.pay_out,
                customer_id=self.customer.id,
                business_id=self.customer.business_id,
                amount=Money(amount, "EUR"),
                method=PaymentMethod.CASH,
                reason="asked",
                today=TODAY,
            )

        @rule(place=PLACES, amount=st.none() | AMOUNTS, method=st.sampled_from([None, PaymentMethod.CASH]))
        def refund(self, place, amount, method):
            wanted = MoneyBack("returned", method, TODAY, amount)
            self.attempt(refunds.refund, self.one(Invoice, place), wanted=wanted, today=TODAY)

        @rule(place=PLACES, amount=st.none() | AMOUNTS)
        def credit_note(self, place, amount):
            invoice_id, facts = self.one(Invoice, place), {"reason": "x", "issued_on": TODAY, "today": TODAY}
            self.attempt(credit_notes.issue, invoice_id, amount_minor=amount, **facts)

        @rule(place=PLACES, amount=st.none() | AMOUNTS)
        def write_off(self, place, amount):
            self.attempt(
                write_offs.write_off, self.one(Invoice, place), amount_minor=amount, reason="gone", today=TODAY
            )

        @rule(place=PLACES)
        def undo_write_off(self, place):
            self.attempt(write_offs.undo_write_off, self.one(Invoice, place), reason="back", today=TODAY)

        @invariant()
        def every_invoice_agrees_with_the_ledger(self):
            if not hasattr(self, "session"):
                return
            for invoice in self.session.scalars(select(Invoice).execution_options(populate_existing=True)):
                settled = invoice.paid_minor + invoice.credited_minor + invoice.written_off_minor
                is_open = invoice.state is InvoiceState.OPEN
                assert invoice.due_minor == (invoice.total_minor - settled if is_open else 0)
                assert receivable(self.session, invoice) == invoice.due_minor
                assert is_open == (invoice.due_minor > 0)
                assert (invoice.number is None) == (invoice.sent_at is None)
                assert (invoice.paid_at is not None) == (invoice.state is InvoiceState.PAID)
                lifecycle.status(invoice, TODAY)

        @invariant()
        def the_ledger_balances_and_no_credit_is_spent_twice(self):
            if not hasattr(self, "session"):
                return
            assert sum(accounts(self.session).values()) == 0
            assert credit.balance(self.session, self.customer.business_id, self.customer.id, "EUR").minor >= 0
            kept = self.session.scalar(
                select(func.coalesce(func.sum(Payment.amount_minor), 0)).where(Payment.undone_at.is_(None))
            )
            paid_out = -sum(
                minor
                for minor in self.session.scalars(
                    select(LedgerPosting.amount_minor).where(
                        LedgerPosting.account == Account.CASH, LedgerPosting.detail == PaymentMethod.CASH
                    )
                )
            )
            there = accounts(self.session)
            assert there.get("cash", 0) + there.get("fees", 0) == kept - paid_out

        @invariant()
        def numbers_have_no_holes(self):
            if hasattr(self, "session"):
                assert all(series.whole for series in numbering.series(self.session))

    return Books


def test_any_sequence_of_actions_keeps_the_books(sessions):
    run_state_machine_as_test(
        books(sessions),
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
