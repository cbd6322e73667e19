"""Setting the published status, as programs do: each move is made with all that belongs to it, or refused in words."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, custom_number, lifecycle
from billing_core.invoices.lifecycle import InvoiceStatus
from billing_core.invoices.models import InvoicedReport, InvoiceState
from billing_core.invoices.service import Details
from billing_core.payments import refunds, status_changes
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.refunds import MoneyBack
from billing_core.reports.models import BillingReport
from tests.database.counting import statements
from tests.payments.books import NOW, TODAY, a_customer, a_draft, accounts, an_open_invoice, pay

DRAFT, SENT, VIEWED, OVERDUE, PAID, REFUNDED, CANCELLED = (
    InvoiceStatus(word) for word in ("draft", "sent", "viewed", "overdue", "paid", "refunded", "cancelled")
)
# To its own status nothing changes, while there is something that could.
POSSIBLE = {
    DRAFT: {DRAFT, SENT, PAID, CANCELLED},
    SENT: {SENT, VIEWED, PAID, OVERDUE, CANCELLED},
    VIEWED: {VIEWED, PAID, OVERDUE, CANCELLED},
    OVERDUE: {OVERDUE, PAID, CANCELLED},
    PAID: set(),
    REFUNDED: {REFUNDED},
    CANCELLED: set(),
}
WHEN = {"now": NOW, "today": TODAY}
NOTES = Details(notes="Changed")


def an_invoice(session, status, *prices):
    """One of 100.00 that has this status."""
    customer = a_customer(session)
    if status is DRAFT:
        return a_draft(session, customer, *prices)
    invoice = an_open_invoice(session, customer, *prices)
    match status:
        case InvoiceStatus.VIEWED:
            after_sending.set_viewed(session, SYSTEM, invoice.id, now=NOW)
        case InvoiceStatus.OVERDUE:
            after_sending.mark_overdue(session, SYSTEM, invoice.id, now=NOW)
        case InvoiceStatus.PAID | InvoiceStatus.REFUNDED:
            pay(session, customer, 100_00, **{str(invoice.id): 100_00})
        case InvoiceStatus.CANCELLED:
            after_sending.cancel(session, SYSTEM, invoice.id, **WHEN)
    if status is REFUNDED:
        wanted = MoneyBack("returned", PaymentMethod.CASH, TODAY)
        refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=TODAY, now=NOW)
    return invoice


def update(session, invoice, target, details=Details()):  # noqa: B008 - frozen
    status_changes.update(session, SYSTEM, invoice.id, details, target, **WHEN)


def status(invoice):
    return lifecycle.status(invoice, TODAY)


def payments(session):
    return [(one.amount_minor, one.method, one.received_on) for one in session.scalars(select(Payment))]


@pytest.mark.parametrize("start", InvoiceStatus)
def test_every_status_is_set_from_every_other_or_refused(session, start, subtests):
    for target in InvoiceStatus:
        with subtests.test(target=target):
            undo = session.begin_nested()
            invoice = an_invoice(session, start)
            before = accounts(session), invoice.version
            if target in POSSIBLE[start]:
                update(session, invoice, target)
                assert status(invoice) is target
                if target is start:
                    assert (accounts(session), invoice.version) == before
            else:
                with pytest.raises(Conflict) as refusal:
                    update(session, invoice, target)
                assert refusal.value.fields == {"status": f"cannot become {target} from {start}"}
                assert (status(invoice), (accounts(session), invoice.version)) == (start, before)
            undo.rollback()
            session.expire_all()


@pytest.mark.parametrize("start", InvoiceStatus)
def test_details_change_with_the_status_and_not_once_it_is_settled(session, start, subtests):
    for target in (None, *(POSSIBLE[start] or (start, SENT))):
        with subtests.test(target=target):
            undo = session.begin_nested()
            invoice = an_invoice(session, start)
            if start in (PAID, REFUNDED, CANCELLED):
                with pytest.raises(Conflict, match="does not change any more"):
                    update(session, invoice, target, NOTES)
            else:
                update(session, invoice, target, NOTES)
                assert (status(invoice), invoice.notes) == (target or start, "Changed")
            undo.rollback()
            session.expire_all()


@pytest.mark.parametrize("start", InvoiceStatus)
def test_nothing_to_change_changes_nothing_and_is_refused_once_it_is_settled(session, start):
    invoice = an_invoice(session, start)
    before = accounts(session), invoice.version
    if start in (PAID, REFUNDED, CANCELLED):
        with pytest.raises(Conflict, match="does not change any more"):
            update(session, invoice, None)
    else:
        update(session, invoice, None)
    assert (status(invoice), (accounts(session), invoice.version)) == (start, before)


def test_paid_means_that_the_rest_came_in_today_by_other_means(session):
    customer = a_customer(session)
    invoice = an_open_invoice(session, customer)
    pay(session, customer, 30_00, **{str(invoice.id): 30_00})

    update(session, invoice, PAID)

    assert payments(session) == [
        (30_00, PaymentMethod.BANK_TRANSFER, TODAY),
        (70_00, PaymentMethod.OTHER, TODAY),
    ]
    assert accounts(session) == {"cash": 100_00, "revenue": -100_00}


def test_a_draft_is_sent_before_it_is_paid(session):
    invoice = an_invoice(session, DRAFT)

    update(session, invoice, PAID)

    assert (invoice.number, invoice.state, invoice.paid_minor) == ("INV-2026-001", InvoiceState.PAID, 100_00)
    assert accounts(session) == {"cash": 100_00, "revenue": -100_00}


def test_a_draft_of_nothing_is_paid_without_a_payment(session):
    invoice = an_invoice(session, DRAFT, "0")

    update(session, invoice, PAID)

    assert (invoice.state, invoice.number, payments(session)) == (InvoiceState.PAID, "INV-2026-001", [])


@pytest.mark.parametrize("viewed", [False, True])
def test_an_overdue_invoice_becomes_sent_by_its_due_date_alone(session, viewed):
    """One that was seen is viewed then, which is as good."""
    invoice = an_invoice(session, OVERDUE)
    if viewed:
        after_sending.set_viewed(session, SYSTEM, invoice.id, now=NOW)
    with pytest.raises(Conflict, match="is overdue and cannot become sent: move its due date into the future"):
        update(session, invoice, SENT)
    with pytest.raises(Conflict, match="move its due date into the future"):
        update(session, invoice, SENT, Details(due_on=TODAY - timedelta(days=1)))

    update(session, invoice, SENT, Details(due_on=TODAY))

    assert status(invoice) is (VIEWED if viewed else SENT)


def test_the_due_date_makes_nothing_else_of_an_overdue_invoice(session):
    """It is not overdue any more, so it cannot be called what it is not; nor does one that is seen become unseen."""
    seen = an_invoice(session, VIEWED)
    with pytest.raises(Conflict, match=r"is viewed and cannot become sent$"):
        update(session, seen, SENT, Details(due_on=TODAY + timedelta(days=60)))

    with pytest.raises(Conflict, match=r"is sent and cannot become draft$"):
        update(session, an_open_invoice(session, a_customer(session, "C2")), DRAFT)
    late = an_open_invoice(session, a_customer(session, "C3"))
    after_sending.mark_overdue(session, SYSTEM, late.id, now=NOW)
    with pytest.raises(Conflict, match=r"is sent and cannot become refunded$"):
        update(session, late, REFUNDED, Details(due_on=TODAY))


@pytest.mark.parametrize(
    ("start", "target", "words"),
    [
        (PAID, REFUNDED, "Invoice INV-2026-001 is paid and cannot become refunded by itself: refund its payment"),
        (PAID, CANCELLED, "Invoice INV-2026-001 is paid and cannot become cancelled: refund it instead"),
        (REFUNDED, CANCELLED, "Invoice INV-2026-001 is refunded and cannot become cancelled"),
        (DRAFT, VIEWED, "The draft for Carla C1 is draft and cannot become viewed"),
        (CANCELLED, CANCELLED, "Invoice INV-2026-001 is cancelled and cannot become cancelled"),
    ],
)
def test_a_refusal_says_what_to_do_instead(session, start, target, words):
    with pytest.raises(Conflict) as refusal:
        update(session, an_invoice(session, start), target)

    assert str(refusal.value) == words


def cancel(session, invoice):
    status_changes.cancel(session, SYSTEM, invoice.id, **WHEN)


def test_cancelling_discards_a_draft_without_a_number_and_keeps_one_with(session):
    customer = a_customer(session)
    plain, numbered = a_draft(session, customer), a_draft(session, customer)
    custom_number.give(session, SYSTEM, numbered.id, "INV-2026-001", now=NOW)
    for draft in (plain, numbered):
        cancel(session, draft)

    assert [(one.state, one.number) for one in (plain, numbered)] == [
        (InvoiceState.CANCELLED, None),
        (InvoiceState.CANCELLED, "INV-2026-001"),
    ]
    assert accounts(session) == {}
    # Its number is not given again.
    assert an_open_invoice(session, customer).number == "INV-2026-002"


def test_what_a_discarded_draft_billed_can_be_billed_again(session):
    """As after discarding it by hand; cancelling alone would leave its report with it."""
    draft = a_draft(session, a_customer(session))
    facts = {"total_minor": 0, "order_count": 0, "charge_count": 0, "question_count": 0, "created_by": "Ada"}
    period = {"period_start": TODAY, "period_end": TODAY, "currency": "EUR", "created_at": NOW}
    report = BillingReport(customer_id=draft.customer_id, customer_name="Carla", **period, **facts)
    session.add(report)
    session.flush()
    session.add(InvoicedReport(invoice_id=draft.id, report_id=report.id))
    session.flush()

    cancel(session, draft)

    assert session.scalars(select(InvoicedReport.report_id)).all() == []


def test_an_open_invoice_is_cancelled_once_and_takes_its_postings_back(session):
    invoice = an_invoice(session, SENT)
    cancel(session, invoice)
    assert (invoice.state, invoice.number, accounts(session)) == (InvoiceState.CANCELLED, "INV-2026-001", {})

    with pytest.raises(Conflict, match=r"^Invoice INV-2026-001 is cancelled already$"):
        cancel(session, invoice)
    draft = a_draft(session, a_customer(session, "C2"))
    cancel(session, draft)
    with pytest.raises(Conflict, match=r"^The draft for Carla C2 is cancelled already$"):
        cancel(session, draft)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_sends_it_or_sets_it_paid_locks_the_customer_before_the_invoice_as_payments_do(sessions):
    """Another order, and two of them could wait for each other."""
    with sessions.begin() as session:
        invoice_id = an_invoice(session, SENT).id

    for target in (*InvoiceStatus, None):
        with statements(sessions.engine) as sent, sessions.begin() as session:
            assert status_changes.locked(session, SYSTEM, invoice_id, target).id == invoice_id
        locking = [re.search(r"FROM (\w+)", one)[1] for one in sent if one.endswith("UPDATE")]
        assert locking == (["customers", "invoices"] if target in (SENT, PAID) else ["invoices"])
