"""Two people at the same invoice in the same moment: one comes first, the other is told, and the books agree."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing_core.customers import queries as customers
from billing_core.database import Sessions
from billing_core.errors import BillingError, Conflict, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, numbering, queries, service
from billing_core.invoices.models import InvoiceState
from billing_core.ledger import verification as ledger_verification
from billing_core.mailing import service as mailing
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import credit, received, refunds, write_offs
from billing_core.payments import queries as payments
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.refunds import MoneyBack
from billing_core.receivables import verification
from tests.at_once import at_once
from tests.payments.books import NOW, TODAY, a_customer, a_draft, an_open_invoice, bank_transfer, record

pytestmark = pytest.mark.slow

Work = Callable[[Session], object]


def told(sessions: Sessions, *works: Work) -> list[BillingError | None]:
    """The refusal that each was told, if any, each in a transaction of its own."""

    def in_transaction(work: Work) -> None:
        with sessions.begin() as session:
            work(session)

    return at_once(*(partial(in_transaction, work) for work in works))


def refusals(sessions: Sessions, *works: Work) -> list[BillingError]:
    return [refusal for refusal in told(sessions, *works) if refusal is not None]


def wrong_in(sessions: Sessions) -> list[str]:
    with sessions() as session:
        proofs = (*verification.checks(session, today=TODAY), *ledger_verification.checks(session))
        return [named for proof in proofs for named in proof.wrong]


@pytest.fixture
def invoice_id(sessions) -> int:
    """An open invoice of 100.00 EUR."""
    with sessions.begin() as session:
        return an_open_invoice(session, a_customer(session)).id


def pay(session: Session, invoice_id: int, amount_minor: int = 10_000) -> Payment:
    return received.record(
        session,
        SYSTEM,
        customer_id=queries.one(session, SYSTEM, invoice_id).customer_id,
        received=bank_transfer(amount_minor),
        allocations={invoice_id: amount_minor},
        today=TODAY,
        now=NOW,
    )


def pay_what_is_due(session: Session, invoice_id: int) -> Payment:
    return received.record_for(session, SYSTEM, invoice_id, received=bank_transfer(10_000), today=TODAY, now=NOW)


def apply(session: Session, invoice_id: int) -> None:
    credit.apply(session, SYSTEM, invoice_id, amount_minor=10_000, today=TODAY, now=NOW)


def test_of_two_payments_of_the_whole_one_is_told_that_nothing_is_due_any_more(sessions, invoice_id):
    (refusal,) = refusals(sessions, *[partial(pay, invoice_id=invoice_id)] * 2)
    assert isinstance(refusal, Invalid)
    assert f"allocations.{invoice_id}" in refusal.fields
    with sessions() as session:
        assert len(session.scalars(select(Payment)).all()) == 1
        assert queries.one(session, SYSTEM, invoice_id).paid_minor == 10_000
    assert wrong_in(sessions) == []


def test_of_two_payments_that_came_for_one_invoice_the_second_is_kept_as_credit(sessions, invoice_id):
    assert refusals(sessions, *[partial(pay_what_is_due, invoice_id=invoice_id)] * 2) == []

    with sessions() as session:
        invoice = queries.one(session, SYSTEM, invoice_id)
        assert (invoice.state, invoice.paid_minor) == (InvoiceState.PAID, 10_000)
        assert credit.balance(session, invoice.business_id, invoice.customer_id, "EUR").minor == 10_000
    assert wrong_in(sessions) == []


def test_credit_is_spent_once(sessions):
    with sessions.begin() as session:
        customer = a_customer(session)
        first, second = an_open_invoice(session, customer).id, an_open_invoice(session, customer).id
        record(session, customer, bank_transfer(10_000))

    (refusal,) = refusals(sessions, partial(apply, invoice_id=first), partial(apply, invoice_id=second))
    assert isinstance(refusal, Invalid)
    assert "credit is 0.00 EUR" in str(refusal)
    with sessions() as session:
        assert sum(queries.one(session, SYSTEM, each).paid_minor for each in (first, second)) == 10_000
    assert wrong_in(sessions) == []


def test_an_allocation_is_released_once(sessions, invoice_id):
    with sessions.begin() as session:
        payment_id = pay(session, invoice_id).id
        (allocation,) = payments.allocations(session, SYSTEM, payment_id=payment_id)

    def release(session: Session) -> None:
        credit.release(session, SYSTEM, allocation.id, reason="Another invoice's", today=TODAY, now=NOW)

    (refusal,) = refusals(sessions, *[release] * 2)
    assert isinstance(refusal, Conflict)
    with sessions() as session:
        invoice = queries.one(session, SYSTEM, invoice_id)
        assert invoice.due_minor == 10_000
        assert credit.balance(session, invoice.business_id, invoice.customer_id, "EUR").minor == 10_000
    assert wrong_in(sessions) == []


def test_a_draft_is_sent_once_and_takes_one_number(sessions):
    with sessions.begin() as session:
        draft_id = a_draft(session, a_customer(session)).id

    (refusal,) = refusals(sessions, *[lambda session: service.send(session, SYSTEM, draft_id, now=NOW)] * 2)
    assert isinstance(refusal, Conflict)
    with sessions() as session:
        (series,) = numbering.series(session)
        assert (series.last, series.whole) == (1, True)
    assert wrong_in(sessions) == []


@pytest.mark.usefixtures("mail_server")
def test_a_draft_is_mailed_once(sessions):
    with sessions.begin() as session:
        draft_id = a_draft(session, a_customer(session)).id

    (refusal,) = refusals(
        sessions, *[lambda session: mailing.send_invoice(session, SYSTEM, draft_id, now=NOW, today=TODAY)] * 2
    )
    assert isinstance(refusal, Conflict)
    with sessions() as session:
        assert len(session.scalars(select(OutboxMessage.id)).all()) == 1


def test_an_invoice_is_either_cancelled_or_paid(sessions, invoice_id):
    cancelling, paying = told(
        sessions,
        lambda session: after_sending.cancel(session, SYSTEM, invoice_id, now=NOW, today=TODAY),
        partial(pay_what_is_due, invoice_id=invoice_id),
    )

    assert paying is None, "received money is never refused"
    with sessions() as session:
        invoice = queries.one(session, SYSTEM, invoice_id)
        kept = credit.balance(session, invoice.business_id, invoice.customer_id, "EUR").minor
    if cancelling is None:
        assert (invoice.state, invoice.paid_minor, kept) == (InvoiceState.CANCELLED, 0, 10_000)
    else:
        assert isinstance(cancelling, Conflict)
        assert (invoice.state, invoice.paid_minor, kept) == (InvoiceState.PAID, 10_000, 0)
    assert wrong_in(sessions) == []


def test_a_payment_is_not_undone_and_refunded(sessions, invoice_id):
    with sessions.begin() as session:
        payment_id = pay(session, invoice_id).id
    back = MoneyBack("Never delivered", PaymentMethod.BANK_TRANSFER, TODAY)

    (refusal,) = refusals(
        sessions,
        lambda session: received.undo(session, SYSTEM, payment_id, reason="Typed twice", today=TODAY, now=NOW),
        lambda session: refunds.refund(session, SYSTEM, invoice_id, wanted=back, today=TODAY, now=NOW),
    )
    assert isinstance(refusal, Conflict)
    assert wrong_in(sessions) == []


@pytest.mark.parametrize(
    "changing",
    [
        lambda session, invoice_id: after_sending.cancel(session, SYSTEM, invoice_id, now=NOW, today=TODAY),
        lambda session, invoice_id: write_offs.write_off(
            session, SYSTEM, invoice_id, reason="No answer", today=TODAY, now=NOW
        ),
        lambda session, invoice_id: credit_notes.issue(
            session, SYSTEM, invoice_id, reason="Damaged", issued_on=TODAY, today=TODAY, now=NOW
        ),
    ],
    ids=["cancel", "write off", "credit note"],
)
def test_whoever_holds_an_invoice_does_not_wait_for_whoever_holds_its_customer(sessions, invoice_id, changing):
    """The other one waits for the invoice: that would be a deadlock, and the database would end one of them."""
    if sessions.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with sessions.begin() as paying:
        customers.for_change(paying, SYSTEM, queries.one(paying, SYSTEM, invoice_id).customer_id)
        with sessions.begin() as session:
            session.execute(text("SET LOCAL lock_timeout = '2s'"))
            changing(session, invoice_id)
    assert wrong_in(sessions) == []
