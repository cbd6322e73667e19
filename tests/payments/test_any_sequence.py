"""Whatever people do to invoices and money, in whatever order: the books stay right."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from billing_core.errors import BillingError
from billing_core.invoices import lifecycle, numbering
from billing_core.invoices.models import CreditNote, Invoice, InvoiceState
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.payments import credit
from billing_core.payments.models import Allocation, Payment, Refund, RefundSource
from tests.arrivals import Dealt, arriving
from tests.payments.any_step import STEPS, Books, prepare
from tests.payments.books import NOW, TODAY

pytestmark = pytest.mark.slow


PARTIES = "business_id", "customer_id", "currency"
# Entries are never changed or removed: as many as before are the same as before.
POSTED = select(func.count()).select_from(LedgerPosting)
OWED = (
    select(LedgerPosting.invoice_id, cast(func.sum(LedgerPosting.amount_minor), BigInteger))
    .where(LedgerPosting.account == Account.RECEIVABLE)
    .group_by(LedgerPosting.invoice_id)
)
GIVEN = (
    select(Allocation.invoice_id, cast(func.sum(Allocation.amount_minor), BigInteger))
    .where(Allocation.undone_at.is_(None))
    .group_by(Allocation.invoice_id)
)
PAYMENTS = select(*(getattr(Payment, name) for name in PARTIES), Payment.amount_minor).where(
    Payment.undone_at.is_(None)
)
ALLOCATIONS = (
    select(*(getattr(Invoice, name) for name in PARTIES), Allocation.amount_minor)
    .join(Invoice, Invoice.id == Allocation.invoice_id)
    .where(Allocation.undone_at.is_(None))
)
REFUNDS = select(Refund.source, Refund.method, *(getattr(Refund, name) for name in PARTIES), Refund.amount_minor)
ACCOUNTS = select(
    *(getattr(LedgerPosting, name) for name in PARTIES),
    LedgerPosting.account.in_((Account.CASH, Account.FEES)),
    LedgerPosting.amount_minor,
)
NUMBERED = select(
    select(func.count(Invoice.number)).scalar_subquery() + select(func.count(CreditNote.id)).scalar_subquery()
)


def sequences(session, arrived):
    """The machine over prepared books; every example begins with the same."""

    class Sequence(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.steps = Dealt(STEPS)
            self.example, self.now = session.begin_nested(), NOW
            self.known_credit, self.numbered = {}, None

        def teardown(self):
            self.example.rollback()
            session.expire_all()

        @rule(data=st.data())
        def do(self, data):
            """A refusal is an answer too, and must have changed nothing."""
            step = self.steps.next(data.draw)
            take = step(Books(session, data.draw))
            self.now += timedelta(minutes=1)
            before = session.scalar(POSTED)
            part = session.begin_nested()
            try:
                take(now=self.now)
                part.commit()
                arrived(step.__name__)
            except BillingError:
                part.rollback()
                session.expire_all()
                assert session.scalar(POSTED) == before
                arrived("refused")

        @invariant()
        def every_invoice_agrees_with_the_ledger(self):
            owed = dict(session.execute(OWED).all())
            given = dict(session.execute(GIVEN).all())
            for invoice in session.execute(select(*Invoice.__table__.columns)):
                settled = invoice.paid_minor + invoice.credited_minor + invoice.written_off_minor
                is_open = invoice.state is InvoiceState.OPEN
                assert invoice.due_minor == (invoice.total_minor - settled if is_open else 0)
                assert owed.get(invoice.id, 0) == invoice.due_minor
                assert given.get(invoice.id, 0) == invoice.paid_minor
                assert is_open == (invoice.due_minor > 0)
                assert (invoice.number is None) == (invoice.sent_at is None)
                assert (invoice.paid_at is not None) == (invoice.state is InvoiceState.PAID)
                lifecycle.status(invoice, TODAY)

        @invariant()
        def credit_is_what_was_paid_and_pays_nothing_and_was_not_paid_out(self):
            """By the documents, for each business, customer and currency; and cash is what came less what went."""
            kept, cash = Counter(), Counter()
            for *key, minor in session.execute(PAYMENTS):
                kept[*key] += minor
                cash[*key] += minor
            for *key, minor in session.execute(ALLOCATIONS):
                kept[*key] -= minor
            for source, method, *key, minor in session.execute(REFUNDS):
                if method is None:
                    kept[*key] += minor
                else:
                    cash[*key] -= minor
                    kept[*key] -= minor if source is RefundSource.CREDIT else 0

            assert min(kept.values()) >= 0
            assert Books(session, None).credit() == kept
            for key in {key for key, _ in kept.items() ^ self.known_credit.items()}:
                business_id, customer_id, currency = key
                assert credit.balance(session, business_id, customer_id, currency).minor == kept[key]
            self.known_credit = dict(kept)
            for *key, is_cash, minor in session.execute(ACCOUNTS):
                cash[*key] -= minor if is_cash else 0
                kept["everything", *key] += minor
            assert not any(cash.values())
            assert not any(minor for key, minor in kept.items() if key[0] == "everything")

        @invariant()
        def numbers_have_no_holes(self):
            numbered = session.scalar(NUMBERED)
            if numbered != self.numbered:
                assert all(series.whole for series in numbering.series(session))
            self.numbered = numbered

    return Sequence


@pytest.mark.drawn
def test_any_sequence_of_actions_keeps_the_books(sessions):
    with (
        Session(sessions.engine, expire_on_commit=False) as session,
        session.begin() as outer,
        arriving([*(step.__name__ for step in STEPS), "refused"]) as arrived,
    ):
        prepare(session)
        run_state_machine_as_test(
            sequences(session, arrived),
            settings=settings(
                max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        outer.rollback()
