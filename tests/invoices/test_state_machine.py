"""Any sequence of what people do to invoices keeps amounts, states, numbers and the ledger together."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, lifecycle, numbering, queries, service
from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.models import EventKind, Invoice, InvoiceState, LineType
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind, LedgerPosting
from billing_core.ledger.service import Entry, Side
from tests.invoices.company import NOW, TODAY, a_customer, content

pytestmark = pytest.mark.slow

lines = st.lists(
    st.builds(
        DraftLine,
        description=st.just("Something"),
        quantity=st.decimals("0.001", "99", places=3),
        unit_price=st.decimals(0, "99", places=4),
        type=st.sampled_from(LineType),
        tax_rate=st.sampled_from([Decimal(0), Decimal("7.5"), Decimal(19)]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
chosen = st.integers(0, 10**6)
DRAFT, OPEN, PAID, CANCELLED = InvoiceState

# What may follow upon what: a state as it was before a step, and those it may be in afterwards.
FOLLOWS = {
    None: {DRAFT},
    DRAFT: {DRAFT, OPEN, PAID, CANCELLED},
    OPEN: {OPEN, PAID, CANCELLED},
    PAID: {PAID, OPEN},
    CANCELLED: {CANCELLED, OPEN},
}


class Invoices(RuleBasedStateMachine):
    """One company and its invoices. A test sets ``sessions``; every step is a transaction of its own."""

    sessions = None

    @initialize()
    def begin(self):
        self.today, self.now = TODAY, NOW
        self.was: dict[int, InvoiceState] = {}
        self.session = Session(self.sessions.engine, expire_on_commit=False)
        self.outer = self.session.begin()
        self.customer = a_customer(self.session)

    def teardown(self):
        if hasattr(self, "session"):
            self.outer.rollback()
            self.session.close()

    def attempt(self, step):
        """A refused step must leave nothing behind; the invariants see to it."""
        savepoint = self.session.begin_nested()
        try:
            step()
        except Conflict:
            savepoint.rollback()
        else:
            savepoint.commit()

    def pick(self, place, *fitting):
        """An invoice in a state that fits the step; one time in four any, which may be refused."""
        ids = [invoice_id for invoice_id, state in self.was.items() if place % 4 == 0 or state in fitting]
        return queries.for_change(self.session, SYSTEM, ids[place % len(ids)]) if ids else None

    @rule(lines=lines, currency=st.sampled_from(["USD", "JPY", "KWD"]), numbered=st.booleans())
    def create(self, lines, currency, numbered):
        wanted = content(self.session, self.customer, *lines, currency=currency, issued_on=self.today)
        service.create(self.session, SYSTEM, wanted, now=self.now, numbered=numbered)

    @rule(place=chosen, lines=lines, notes=st.sampled_from(["", "Thanks"]), stale=st.booleans())
    def edit(self, place, lines, notes, stale):
        if invoice := self.pick(place, DRAFT):
            wanted = replace(queries.content(self.session, invoice), lines=lines, notes=notes)
            drawn_from = invoice.version - stale
            self.attempt(
                lambda: service.edit(self.session, SYSTEM, invoice.id, wanted, drawn_from=drawn_from, now=self.now)
            )

    @rule(places=st.lists(chosen, min_size=1, max_size=3))
    def send(self, places):
        picked = dict.fromkeys(invoice.id for place in places if (invoice := self.pick(place, DRAFT)))
        if picked:
            self.attempt(lambda: service.send_many(self.session, SYSTEM, list(picked), now=self.now))

    @rule(place=chosen)
    def cancel(self, place):
        if invoice := self.pick(place, OPEN):
            self.attempt(lambda: after_sending.cancel(self.session, SYSTEM, invoice.id, now=self.now, today=self.today))

    @rule(place=chosen)
    def discard(self, place):
        if invoice := self.pick(place, DRAFT):
            self.attempt(lambda: service.discard(self.session, SYSTEM, invoice.id, now=self.now))

    @rule(place=chosen)
    def duplicate(self, place):
        if invoice := self.pick(place, OPEN, PAID, CANCELLED):
            service.duplicate(self.session, SYSTEM, invoice.id, now=self.now, today=self.today)

    @rule(place=chosen)
    def view(self, place):
        if invoice := self.pick(place, OPEN, PAID):
            with suppress(NotFound):
                after_sending.mark_viewed(self.session, invoice.token, now=self.now)

    @rule(place=chosen)
    def mark_overdue(self, place):
        if invoice := self.pick(place, OPEN):
            self.attempt(lambda: after_sending.mark_overdue(self.session, SYSTEM, invoice.id, now=self.now))

    @rule(place=chosen, days=st.integers(0, 60))
    def hold(self, place, days):
        if invoice := self.pick(place, OPEN):
            until = self.today + timedelta(days=days)
            self.attempt(
                lambda: after_sending.hold(
                    self.session, SYSTEM, invoice.id, until=until, reason="Asked", now=self.now, today=self.today
                )
            )

    @rule(place=chosen, days=st.integers(0, 60))
    def move_due_date(self, place, days):
        if invoice := self.pick(place, OPEN, DRAFT):
            details = service.Details(due_on=max(self.today, invoice.issued_on) + timedelta(days=days))
            self.attempt(
                lambda: service.update_details(
                    self.session, SYSTEM, invoice.id, details, now=self.now, today=self.today
                )
            )

    @rule(place=chosen, share=st.integers(1, 120), kind=st.sampled_from(["paid", "written_off"]))
    def settle(self, place, share, kind):
        """A part of what is due, sometimes more; what it means is posted with it."""
        if invoice := self.pick(place, OPEN):
            amount = max(1, invoice.due_minor * share // 100)
            self.attempt(lambda: self._settle(invoice, kind, amount))

    @rule(place=chosen, kind=st.sampled_from(["paid", "written_off"]))
    def take_back(self, place, kind):
        if invoice := self.pick(place, OPEN, PAID, CANCELLED):
            kept = getattr(invoice, f"{kind}_minor")
            if kept and not invoice.refunded_minor:
                self.attempt(lambda: self._settle(invoice, kind, -kept))

    @rule(days=st.integers(1, 40))
    def wait(self, days):
        self.today += timedelta(days=days)
        self.now += timedelta(days=days)

    def _settle(self, invoice, kind, amount):
        account, entry_kind, event = {
            "paid": (Account.CASH, EntryKind.PAYMENT, EventKind.PAYMENT),
            "written_off": (Account.BAD_DEBT, EntryKind.WRITE_OFF, EventKind.WRITTEN_OFF),
        }[kind]
        sides = [Side(account, amount), Side(Account.RECEIVABLE, -amount, invoice_id=invoice.id)]
        entry = Entry(
            invoice.business_id,
            invoice.customer_id,
            invoice.currency,
            entry_kind,
            f"test:{invoice.id}",
            self.today,
            sides,
        )
        ledger.post(self.session, SYSTEM, entry, now=self.now)
        lifecycle.settle(self.session, SYSTEM, invoice, event=event, now=self.now, **{kind: amount})

    @invariant()
    def amounts_states_and_numbers_hold(self):
        if not hasattr(self, "session"):
            return
        self.session.expire_all()
        owed = (
            select(LedgerPosting.invoice_id, func.sum(LedgerPosting.amount_minor))
            .where(LedgerPosting.account == Account.RECEIVABLE)
            .group_by(LedgerPosting.invoice_id)
        )
        receivable = {invoice_id: int(amount) for invoice_id, amount in self.session.execute(owed)}
        for invoice in self.session.scalars(select(Invoice)):
            self._holds(invoice, receivable.get(invoice.id, 0))
            before = self.was.get(invoice.id)
            assert invoice.state in FOLLOWS[before] or before is invoice.state
            self.was[invoice.id] = invoice.state
        assert all(found.whole for found in numbering.series(self.session))

    def _holds(self, invoice, receivable):
        settled = invoice.paid_minor + invoice.credited_minor + invoice.written_off_minor
        due = invoice.total_minor - settled if invoice.state is OPEN else 0
        assert invoice.due_minor == due == receivable
        assert invoice.total_minor == queries.totals_of(self.session, invoice).total_minor
        assert (invoice.sent_at is not None) == (invoice.issuer is not None)
        assert (invoice.paid_at is not None) == (invoice.state is PAID)
        assert (invoice.cancelled_at is not None) == (invoice.state is CANCELLED)
        assert invoice.number or invoice.state in (DRAFT, CANCELLED)
        assert invoice.state is not OPEN or due > 0
        in_sql = self.session.scalar(select(lifecycle.status_sql(self.today)).where(Invoice.id == invoice.id))
        assert lifecycle.status(invoice, self.today) == in_sql


@pytest.mark.parametrize("steps", [pytest.param(25, id="short")])
def test_any_sequence_of_steps_keeps_everything_together(sessions, steps):
    class OnThisDatabase(Invoices):
        pass

    OnThisDatabase.sessions = sessions
    budget = settings(
        max_examples=15, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(OnThisDatabase, settings=budget)
