"""Where a business wants it, credit pays what is due before a reminder would go."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core import runtime
from billing_core.audit.models import AuditEntry
from billing_core.businesses.queries import default_business
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending
from billing_core.invoices.models import EventKind, Invoice, InvoiceEvent
from billing_core.jobs.schedules import daily
from billing_core.mailing import credit_first, reminder_planning, reminder_schedules
from billing_core.outbox.models import OutboxMessage
from billing_core.payments import credit, received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from tests.invoices.company import GRACE, LATER, NOW, TODAY, a_customer, an_invoice

DUE = date(2026, 4, 1)  # 30 days after TODAY
MORNING = NOW.replace(year=2026, month=4, day=1, hour=9)


def paid_in(session, customer_id: int, minor: int, currency: str = "USD") -> None:
    money = Received(currency, minor, PaymentMethod.CASH, TODAY, "")
    received.record(session, GRACE, customer_id=customer_id, received=money, allocations={}, today=TODAY, now=NOW)


def switched_on(session, *, uses_credit: bool = True, steps=(-3, 0, 7)):
    business_id = default_business(session).id
    facts = {"reminds": True, "steps": steps, "uses_credit": uses_credit}
    return reminder_schedules.change(session, GRACE, business_id, now=NOW, today=TODAY, **facts)


def used(session, schedule, today=DUE) -> list[int]:
    """On how many invoices of each customer with credit."""
    owners = credit_first.owners(session, schedule, today=today)
    return [credit_first.use(session, SYSTEM, schedule, one, today=today, now=MORNING) for one in owners]


def left_due(session, *invoices: Invoice) -> list[int]:
    session.expire_all()
    return [invoice.due_minor for invoice in invoices]


@pytest.mark.parametrize(
    ("minor", "due"), [(100_00, [138_00, 238_00]), (300_00, [0, 176_00]), (476_00, [0, 0]), (500_00, [0, 0])]
)
def test_the_oldest_is_paid_first_and_never_more_than_there_is(session, minor, due):
    """Two invoices of 238.00."""
    customer = a_customer(session)
    newer = an_invoice(session, customer)
    older = an_invoice(session, customer, due_on=DUE - timedelta(days=1))
    schedule = switched_on(session)
    paid_in(session, customer, minor)
    used(session, schedule)
    assert left_due(session, older, newer) == due
    assert credit.balance(session, schedule.business_id, customer, "USD").minor == max(minor - 476_00, 0)


def test_what_is_not_due_for_a_reminder_is_held_or_in_another_currency_keeps_its_debt(session):
    held_customer, later_customer, other_customer = (a_customer(session, ref) for ref in ("HELD", "LATER", "OTHER"))
    held = an_invoice(session, held_customer)
    after_sending.hold(session, GRACE, held.id, until=DUE, reason="disputed", now=LATER, today=TODAY)
    later = an_invoice(session, later_customer, due_on=DUE + timedelta(days=4))
    other = an_invoice(session, other_customer)
    schedule = switched_on(session)
    for customer, currency in ((held_customer, "USD"), (later_customer, "USD"), (other_customer, "EUR")):
        paid_in(session, customer, 500_00, currency)
    assert used(session, schedule) == []
    assert left_due(session, held, later, other) == [238_00] * 3
    # A day later the hold is over, and three days before its due date the other one is reminded of.
    assert used(session, schedule, DUE + timedelta(days=1)) == [1, 1]
    assert left_due(session, held, later, other) == [0, 0, 238_00]


@pytest.mark.parametrize(
    ("minor", "paid", "credited"), [(233_23, 0, 0), (233_24, 233_24, 4_76), (238_00, 233_24, 4_76)]
)
def test_a_discount_for_paying_early_is_taken_where_credit_goes_so_far_and_is_not_lost_where_not(
    session, minor, paid, credited
):
    """2 % of 238.00 are 4.76, until the day of the reminder."""
    customer = a_customer(session)
    invoice = an_invoice(session, customer, payment_terms="2/27 net 30")
    schedule = switched_on(session)
    paid_in(session, customer, minor)
    used(session, schedule, DUE - timedelta(days=3))
    session.expire_all()
    assert (invoice.paid_minor, invoice.credited_minor) == (paid, credited)
    # A day later there is no discount any more: as far as it goes.
    used(session, schedule, DUE - timedelta(days=2))
    session.expire_all()
    assert invoice.paid_minor == (paid or minor)


def test_the_rehearsal_says_what_is_paid_first(session):
    customer = a_customer(session)
    an_invoice(session, customer)
    paid_in(session, customer, 238_00)
    schedule = switched_on(session)
    (plan,) = reminder_planning.by_schedule(session, schedule, today=DUE, limit=5)
    assert plan.reason == "is paid from the customer’s credit first"


@pytest.mark.parametrize(("wanted", "due"), [(True, [0, 138_00]), (False, [238_00, 238_00])])
def test_the_morning_uses_credit_where_it_is_wanted_and_reminds_of_the_rest(sessions, monkeypatch, wanted, due):
    """The credit of one customer covers its 238.00, that of the other 100.00 of them."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        invoices = []
        for ref, minor in (("A", 238_00), ("B", 100_00)):
            customer = a_customer(session, ref)
            invoices.append(an_invoice(session, customer).id)
            paid_in(session, customer, minor)
        switched_on(session, uses_credit=wanted)
    for hours in range(2):
        daily.remind_due(MORNING + timedelta(hours=hours))
    with sessions() as session:
        assert [session.get_one(Invoice, one).due_minor for one in invoices] == due
        (reminder,) = session.scalars(select(OutboxMessage))
        assert (reminder.subject_id, f"{due[1] / 100:.2f}" in reminder.content["text"]) == (str(invoices[1]), True)
        audited = select(AuditEntry.actor_name, AuditEntry.subject_id).where(
            AuditEntry.action == "payment.apply_credit"
        )
        by_job = [("system", str(one)) for one in invoices] if wanted else []
        assert session.execute(audited.order_by(AuditEntry.id)).all() == by_job
        told = select(InvoiceEvent.invoice_id).where(InvoiceEvent.kind == EventKind.CREDIT_APPLIED)
        assert list(session.scalars(told.order_by(InvoiceEvent.id))) == (invoices if wanted else [])
