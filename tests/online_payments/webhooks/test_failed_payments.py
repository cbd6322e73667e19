"""What a failed try changes: nothing about money, and whether an invoice is late, in whatever order it is told."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest

from billing_core.customers.models import Customer
from billing_core.invoices import service
from billing_core.invoices.models import Invoice
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.invoices.service import Details
from billing_core.payments import received
from tests.invoices.company import GRACE
from tests.online_payments.linked import BY_LINK, HOSTED, LATER, linked, paying, tell
from tests.online_payments.seen import kinds, state_of, status
from tests.online_payments.stripe.events import NOON, event
from tests.payments.books import TODAY, pay

DAY = 86_400
# Where the database does not matter.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
def test_a_failed_attempt_is_noted_without_another_status_until_a_payment_comes(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.failed("Your card was declined.", code="insufficient_funds"))
    assert status(sessions, invoice) == "sent"
    with sessions() as session:
        kept = session.get_one(Invoice, invoice.id)
        assert kept.payment_failure == "Your card was declined. (insufficient funds)"
        assert kept.payment_failed_at == datetime(2026, 3, 10, 11, 59, tzinfo=UTC)
    assert state_of(sessions, link) is LinkState.ACTIVE
    tell(sessions, payment.succeeded())
    assert status(sessions, invoice) == "paid"
    assert kinds(sessions, invoice).count("payment_failed") == 1


@on_sqlite
def test_a_failure_that_is_told_after_the_payment_changes_nothing(sessions, place):
    invoice, link = place
    payment = paying(link, invoice, amount=4_000)
    tell(sessions, payment.succeeded(), payment.failed())
    assert failed_at(sessions, invoice) is None
    tell(sessions, payment.failed(at=NOON + 60))
    assert failed_at(sessions, invoice) == datetime(2026, 3, 10, 12, 1, tzinfo=UTC)


@on_sqlite
@pytest.mark.parametrize(
    ("told", "expected"), [("failed", "sent"), ("async_failed", "sent"), ("invoice_failed", "overdue")]
)
def test_only_the_failure_of_the_gateways_own_invoice_makes_it_overdue(sessions, told, expected):
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED if told == "invoice_failed" else BY_LINK)
    tell(sessions, getattr(paying(link, invoice), told)())
    assert status(sessions, invoice) == expected
    assert failed_at(sessions, invoice) is not None


@on_sqlite
@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_an_invoice_that_failed_is_late_from_that_day_on_in_whatever_order_it_is_told(sessions, order):
    """An attempt the day before, the invoice's failure at noon of 10 March, and the attempt that it came of."""
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
    payment = paying(link, invoice)
    told = [payment.failed(at=NOON - 86_400), payment.invoice_failed(at=NOON), payment.failed(at=NOON)]
    tell(sessions, *(told[at] for at in order))
    assert status(sessions, invoice) == "overdue"
    assert late_after(sessions, invoice) == date(2026, 3, 9)


@on_sqlite
@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_an_invoice_is_late_from_its_first_failure_after_a_payment_in_whatever_order_it_is_told(sessions, order):
    """It fails on 4, 6 and 8 March; the 40.00 of 5 March are kept as credit. So the first late day is 6 March."""
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
    payment = paying(link, invoice, amount=4_000)
    told = [payment.invoice_failed(at=NOON - days * DAY) for days in (6, 4, 2)]
    told.append(event("invoice.paid", payment.invoice(amount_paid=4_000), at=NOON - 5 * DAY))
    tell(sessions, *(told[at] for at in order))
    assert late_after(sessions, invoice) == date(2026, 3, 5)


@on_sqlite
def test_a_failure_that_is_told_once_more_leaves_the_first_late_day(sessions):
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
    payment = paying(link, invoice)
    for days in (5, 0, 5, 0):
        tell(sessions, payment.invoice_failed(at=NOON - days * DAY))
        assert late_after(sessions, invoice) == date(2026, 3, 4)
    assert kinds(sessions, invoice).count("marked_overdue") == 1


@on_sqlite
@pytest.mark.parametrize("begin", ["due date", "paid and reopened"])
def test_what_failed_before_an_invoice_was_in_time_again_does_not_make_it_late(sessions, begin):
    """It fails on 5 March; on 10 March it is in time again; then another failure of 7 March is told."""
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
    payment, due_on = paying(link, invoice), date(2026, 5, 1)
    tell(sessions, payment.invoice_failed(at=NOON - 5 * DAY))
    with sessions.begin() as session:
        if begin == "due date":
            service.update_details(session, GRACE, invoice.id, Details(due_on=due_on), now=LATER, today=TODAY)
        else:
            due_on, customer = invoice.due_on, session.get_one(Customer, invoice.customer_id)
            paid = pay(session, customer, 10_000, **{str(invoice.id): 10_000})
            received.undo(session, GRACE, paid.id, reason="By mistake", today=TODAY, now=LATER)
    tell(sessions, payment.invoice_failed(at=NOON - 3 * DAY))
    assert (late_after(sessions, invoice), failed_at(sessions, invoice)) == (due_on, None)

    tell(sessions, payment.invoice_failed(at=NOON + DAY), now=LATER + timedelta(days=1))
    assert late_after(sessions, invoice) == date(2026, 3, 10)


def late_after(sessions, invoice):
    with sessions() as session:
        return session.get_one(Invoice, invoice.id).late_after


def failed_at(sessions, invoice):
    with sessions() as session:
        return session.get_one(Invoice, invoice.id).payment_failed_at


@on_sqlite
def test_a_debit_that_failed_after_days_has_used_its_link_up_and_pays_all_the_same_if_it_comes(sessions, place):
    invoice, link = place
    payment = paying(link, invoice)
    tell(sessions, payment.completed(payment_status="unpaid"), payment.async_failed())
    with sessions() as session:
        assert session.get_one(PaymentLink, link.id).last_pending_at == datetime(2026, 3, 10, 12, tzinfo=UTC)
        ended = session.get_one(PaymentLink, link.id)
        assert (ended.state, ended.ended_because) == (
            LinkState.DEACTIVATED,
            "The customer's bank did not pay, and a link takes one payment: create another",
        )
        assert session.get_one(Invoice, invoice.id).payment_url is None
    tell(sessions, payment.succeeded())
    assert status(sessions, invoice) == "paid"
