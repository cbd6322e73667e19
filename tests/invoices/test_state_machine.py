"""Any sequence of what people do to invoices keeps amounts, states, numbers and the ledger together."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from billing_core.errors import Conflict, NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, lifecycle, numbering, queries, service
from billing_core.invoices.content.content import DraftLine
from billing_core.invoices.models import EventKind, Invoice, InvoiceState, LineType
from billing_core.ledger import service as ledger
from billing_core.ledger.models import Account, EntryKind, LedgerPosting
from billing_core.ledger.service import Entry, Side
from tests.arrivals import Dealt, arriving
from tests.invoices.company import NOW, TODAY, a_customer, a_draft, an_invoice, content

pytestmark = pytest.mark.slow

LINES = st.lists(
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
DRAFT, OPEN, PAID, CANCELLED = InvoiceState
PAYMENT = "paid", Account.CASH, EntryKind.PAYMENT, EventKind.PAYMENT
WRITE_OFF = "written_off", Account.BAD_DEBT, EntryKind.WRITE_OFF, EventKind.WRITTEN_OFF

# What may follow upon what: a state as it was before a step, and those it may be in afterwards.
FOLLOWS = {
    None: {DRAFT},
    DRAFT: {DRAFT, OPEN, PAID, CANCELLED},
    OPEN: {OPEN, PAID, CANCELLED},
    PAID: {PAID, OPEN},
    CANCELLED: {CANCELLED, OPEN},
}


def prepared(session):
    """A customer with invoices in every state: untouched, paid and written off in part and in full, cancelled."""
    customer = a_customer(session)
    for currency in ("USD", "JPY", "KWD"):
        for _ in range(2):
            a_draft(session, customer, currency=currency)
        an_invoice(session, customer, currency=currency)
    for kind in (PAYMENT, WRITE_OFF):
        for share in (40, 100):
            invoice = an_invoice(session, customer)
            settle(session, invoice, kind, invoice.due_minor * share // 100, today=TODAY, now=NOW)
    after_sending.cancel(session, SYSTEM, an_invoice(session, customer).id, now=NOW, today=TODAY)
    return customer


def settle(session, invoice, kind, amount, *, today, now):
    """A payment or a write-off, of less than 0: its undoing. What it means is posted with it."""
    column, account, entry_kind, event = kind
    sides = [Side(account, amount), Side(Account.RECEIVABLE, -amount, invoice_id=invoice.id)]
    facts = (invoice.business_id, invoice.customer_id, invoice.currency, entry_kind, f"test:{invoice.id}", today)
    ledger.post(session, SYSTEM, Entry(*facts, sides), now=now)
    lifecycle.settle(session, SYSTEM, invoice, event=event, now=now, **{column: amount})


def is_in(*states):
    return Invoice.state.in_(states)


class Company:
    """The customer's invoices on a day, and the drawing of what a step needs."""

    def __init__(self, session, customer):
        self.session, self.customer = session, customer
        self.today, self.now, self.draw = TODAY, NOW, None

    def one(self, *fits):
        """An invoice that fits the step where there is any; one time in eight any, which may be refused."""
        rows = self.session.execute(select(Invoice.id, and_(*fits)).order_by(Invoice.id)).all()
        fitting = [invoice_id for invoice_id, fit in rows if fit]
        sought = fitting and self.draw(st.integers(0, 7)) < 7
        chosen = self.draw(st.sampled_from(fitting if sought else [invoice_id for invoice_id, _ in rows]))
        return queries.for_change(self.session, SYSTEM, chosen)

    @property
    def when(self):
        return {"now": self.now, "today": self.today}


def create(company):
    currency, numbered = company.draw(st.sampled_from(["USD", "JPY", "KWD"])), company.draw(st.booleans())
    lines = company.draw(LINES)
    wanted = content(company.session, company.customer, *lines, currency=currency, issued_on=company.today)
    service.create(company.session, SYSTEM, wanted, now=company.now, numbered=numbered)


def edit(company):
    """Sometimes as somebody saw it before it was changed, which is refused."""
    invoice, lines = company.one(is_in(DRAFT)), company.draw(LINES)
    wanted = replace(queries.content(company.session, invoice), lines=lines, notes=company.draw(st.sampled_from("ab")))
    drawn_from = invoice.version - (company.draw(st.integers(0, 7)) == 7)
    service.edit(company.session, SYSTEM, invoice.id, wanted, drawn_from=drawn_from, now=company.now)


def send(company):
    picked = {company.one(is_in(DRAFT)).id for _ in range(company.draw(st.integers(1, 3)))}
    service.send_many(company.session, SYSTEM, sorted(picked), now=company.now)


def cancel(company):
    after_sending.cancel(company.session, SYSTEM, company.one(is_in(OPEN)).id, **company.when)


def discard(company):
    service.discard(company.session, SYSTEM, company.one(is_in(DRAFT)).id, now=company.now)


def duplicate(company):
    service.duplicate(company.session, SYSTEM, company.one(is_in(OPEN, PAID, CANCELLED)).id, **company.when)


def view(company):
    """The first look alone is one."""
    invoice = company.one(is_in(OPEN, PAID), Invoice.viewed_at.is_(None))
    if not after_sending.mark_viewed(company.session, invoice.token, now=company.now):
        raise Conflict("It was seen already")


def mark_overdue(company):
    invoice = company.one(is_in(OPEN), Invoice.marked_overdue_at.is_(None))
    after_sending.mark_overdue(company.session, SYSTEM, invoice.id, now=company.now)


def hold(company):
    until = company.today + timedelta(days=company.draw(st.integers(0, 60)))
    after_sending.hold(
        company.session, SYSTEM, company.one(is_in(OPEN)).id, until=until, reason="Asked", **company.when
    )


def move_due_date(company):
    invoice, days = company.one(is_in(OPEN, DRAFT)), company.draw(st.integers(0, 60))
    details = service.Details(due_on=max(company.today, invoice.issued_on) + timedelta(days=days))
    service.update_details(company.session, SYSTEM, invoice.id, details, **company.when)


def pay(company):
    _settle(company, PAYMENT)


def write_off(company):
    _settle(company, WRITE_OFF)


def undo_payment(company):
    _take_back(company, PAYMENT, company.one(Invoice.paid_minor > 0))


def undo_write_off(company):
    _take_back(company, WRITE_OFF, company.one(Invoice.written_off_minor > 0))


def wait(company):
    days = timedelta(days=company.draw(st.integers(1, 40)))
    company.today += days
    company.now += days


def _settle(company, kind):
    """All or a part of what is due, sometimes more."""
    invoice = company.one(is_in(OPEN))
    share = company.draw(st.just(100) | st.integers(1, 120))
    settle(company.session, invoice, kind, max(1, invoice.due_minor * share // 100), **company.when)


def _take_back(company, kind, invoice):
    settle(company.session, invoice, kind, -(getattr(invoice, f"{kind[0]}_minor") or 1), **company.when)


STEPS = (
    *(view, create, edit, send, cancel, discard, duplicate, mark_overdue, hold, move_due_date),
    *(pay, write_off, undo_payment, undo_write_off, wait),
)


@cache
def facts(today):
    """Of every invoice, and its status in SQL."""
    return select(*Invoice.__table__.columns, lifecycle.status_sql(today).label("in_sql"))


def sequences(session, customer, arrived):
    """The machine over the prepared company; every example begins with the same."""

    class Sequence(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.steps = Dealt(STEPS)
            self.example, self.company = session.begin_nested(), Company(session, customer)
            self.was = dict(session.execute(select(Invoice.id, Invoice.state)).all())
            self.versions, self.changed = {}, True

        def teardown(self):
            self.example.rollback()
            session.expire_all()

        @rule(data=st.data())
        def do(self, data):
            """A refused step must leave nothing behind; the invariants see to it."""
            self.company.draw, step = data.draw, self.steps.next(data.draw)
            savepoint = session.begin_nested()
            try:
                step(self.company)
                savepoint.commit()
                arrived(step.__name__)
            except (Conflict, NotFound):
                savepoint.rollback()
                session.expire_all()
                arrived("refused")

        @invariant()
        def amounts_states_and_numbers_hold(self):
            owed = (
                select(LedgerPosting.invoice_id, func.sum(LedgerPosting.amount_minor))
                .where(LedgerPosting.account == Account.RECEIVABLE)
                .group_by(LedgerPosting.invoice_id)
            )
            receivable = {invoice_id: int(amount) for invoice_id, amount in session.execute(owed)}
            for invoice in session.execute(facts(self.company.today)):
                self._holds(invoice, receivable.get(invoice.id, 0))
                before = self.was.get(invoice.id)
                assert invoice.state in FOLLOWS[before] or before is invoice.state
                self.was[invoice.id] = invoice.state
            if self.changed:
                assert all(found.whole for found in numbering.series(session))
            self.changed = False

        def _holds(self, invoice, receivable):
            settled = invoice.paid_minor + invoice.credited_minor + invoice.written_off_minor
            due = invoice.total_minor - settled if invoice.state is OPEN else 0
            assert invoice.due_minor == due == receivable
            assert (invoice.sent_at is not None) == (invoice.issuer is not None)
            assert (invoice.paid_at is not None) == (invoice.state is PAID)
            assert (invoice.cancelled_at is not None) == (invoice.state is CANCELLED)
            assert invoice.number or invoice.state in (DRAFT, CANCELLED)
            assert invoice.state is not OPEN or due > 0
            assert lifecycle.status(invoice, self.company.today) == invoice.in_sql
            if self.versions.get(invoice.id) != invoice.version:
                self.versions[invoice.id], self.changed = invoice.version, True
                stored = session.get_one(Invoice, invoice.id, populate_existing=True)
                assert invoice.total_minor == queries.totals_of(session, stored).total_minor

    return Sequence


@pytest.mark.drawn
def test_any_sequence_of_steps_keeps_everything_together(sessions):
    budget = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    with (
        Session(sessions.engine, expire_on_commit=False) as session,
        session.begin() as outer,
        arriving([*(step.__name__ for step in STEPS), "refused"]) as arrived,
    ):
        machine = sequences(session, prepared(session), arrived)
        run_state_machine_as_test(machine, settings=budget)
        outer.rollback()
