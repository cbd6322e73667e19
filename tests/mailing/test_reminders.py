"""Reminders: each step once, caught up once, never of what is held or paid."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.errors import Forbidden, Invalid
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending
from billing_core.invoices import service as invoices
from billing_core.invoices.models import Invoice
from billing_core.invoices.service import Details
from billing_core.languages.formats import writing
from billing_core.mailing import reminder_planning, reminder_schedules, reminders, service
from billing_core.mailing.models import Reminder, ReminderOutcome
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.payments import received
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from tests.invoices.company import GRACE, LATER, NOW, READER, TODAY, a_customer, a_draft, an_invoice
from tests.online_payments.linked import HOSTED, a_link, linked, paying, tell

DUE = date(2026, 4, 1)  # 30 days after TODAY
STEPS = (-3, 0, 7, 14)


def switched_on(session, *, steps=STEPS, today=TODAY, **facts) -> None:
    business_id = default_business(session).id
    reminder_schedules.change(session, GRACE, business_id, reminds=True, steps=steps, now=NOW, today=today, **facts)


def planned(session, today):
    """What the schedules would send on that day, and whom they would not remind and why."""
    return [
        plan
        for schedule in reminder_schedules.in_force(session)
        for plan in reminder_planning.by_schedule(session, schedule, today=today, limit=500)
        if plan.step is not None
    ]


def run(session, days_after_due: int) -> list[tuple[str, str]]:
    """Recipient and topic of what is put in on that day."""
    known = session.scalar(select(func.count()).select_from(OutboxMessage))
    today = DUE + timedelta(days=days_after_due)
    while reminders.run(session, SYSTEM, now=NOW + (today - TODAY), today=today):
        pass
    rows = session.execute(select(OutboxMessage.recipient, OutboxMessage.topic).order_by(OutboxMessage.id))
    return [tuple(row) for row in rows][known:]


def outcomes(session) -> dict[int, ReminderOutcome]:
    return {row.days_after_due: row.outcome for row in session.scalars(select(Reminder))}


@pytest.fixture
def invoice(session) -> Invoice:
    return an_invoice(session, a_customer(session))


def test_every_step_is_sent_once_on_its_day_with_the_words_of_that_day(session, invoice):
    switched_on(session)
    sent = {day: [topic for _, topic in run(session, day)] for day in range(-5, 20)}

    assert {day: topics for day, topics in sent.items() if topics} == {
        -3: ["reminder_before"],
        0: ["reminder_due"],
        7: ["reminder_late"],
        14: ["reminder_late"],
    }
    assert outcomes(session) == dict.fromkeys(STEPS, ReminderOutcome.SENT)


def test_days_that_were_missed_are_caught_up_with_the_latest_step_alone(session, invoice):
    switched_on(session)
    assert run(session, 9) == [("ap@acme.example", "reminder_late")]
    assert run(session, 10) == []
    sent, skipped = ReminderOutcome.SENT, ReminderOutcome.SKIPPED
    assert outcomes(session) == {-3: skipped, 0: skipped, 7: sent}
    text = session.scalars(select(OutboxMessage.content)).one()["text"]
    assert "was due on April 1, 2026, 9 days ago" in text


def test_nothing_is_sent_before_it_is_switched_on(session, invoice):
    assert run(session, 7) == []


def test_switching_it_on_skips_what_has_passed_unless_somebody_says_so(session, invoice):
    business_id, today = default_business(session).id, DUE + timedelta(days=10)
    assert reminder_schedules.missed(session, GRACE, business_id, steps=STEPS, today=today) == 1
    switched_on(session, today=today)
    assert reminder_schedules.missed(session, GRACE, business_id, steps=STEPS, today=today) == 0
    assert run(session, 10) == []
    assert run(session, 14) == [("ap@acme.example", "reminder_late")]


def test_what_has_passed_is_sent_when_somebody_says_so(session, invoice):
    switched_on(session, today=DUE + timedelta(days=10), send_missed=True)
    assert len(run(session, 10)) == 1


def test_an_invoice_that_was_sent_after_a_steps_day_is_not_reminded_of_it(session):
    switched_on(session)
    an_invoice(session, a_customer(session), issued_on=date(2026, 1, 1), due_on=date(2026, 2, 20))  # 10 days ago
    days = (TODAY - DUE).days
    assert run(session, days) == []
    assert run(session, days + 4) == [("ap@acme.example", "reminder_late")]  # its 14th day


@pytest.mark.parametrize("held", ["customer", "invoice"])
def test_a_hold_is_respected_until_its_last_day_and_named_in_the_rehearsal(session, invoice, held):
    switched_on(session)
    until = DUE + timedelta(days=3)
    if held == "customer":
        customer = session.get_one(Customer, invoice.customer_id)
        customer.held_until, customer.hold_reason = until, "they dispute it"
        session.flush()
    else:
        after_sending.hold(session, GRACE, invoice.id, until=until, reason="they dispute it", now=LATER, today=TODAY)
    assert run(session, 3) == []
    (plan,) = planned(session, until)
    assert plan.reason == f"the {held} is held until 2026-04-04: they dispute it"
    assert len(run(session, 4)) == 1


def test_who_has_no_address_is_named_and_reminded_once_there_is_one(session):
    invoice = an_invoice(session, a_customer(session), customer_email="")
    switched_on(session)
    assert run(session, 0) == []
    (plan,) = planned(session, DUE)
    assert plan.reason == "has no e-mail address"
    session.execute(Invoice.__table__.update().values(customer_email="new@acme.example"))
    session.expire_all()
    assert run(session, 1) == [("new@acme.example", "reminder_late")]
    assert invoice.customer_email == "new@acme.example"


def test_nobody_is_reminded_of_a_draft_or_of_what_is_paid_or_cancelled(session):
    customer = a_customer(session)
    a_draft(session, customer)
    after_sending.cancel(session, GRACE, an_invoice(session, customer).id, now=LATER, today=TODAY)
    paid = an_invoice(session, customer)
    pay(session, paid)
    switched_on(session)
    assert run(session, 7) == []


def pay(session, invoice) -> None:
    whole = Received(invoice.currency, invoice.due_minor, PaymentMethod.BANK_TRANSFER, TODAY)
    received.record_for(session, GRACE, invoice.id, received=whole, today=TODAY, now=LATER)


def test_the_rehearsal_shows_what_the_run_then_sends(session, invoice):
    switched_on(session)
    (plan,) = planned(session, DUE)
    assert (plan.to, plan.step, plan.skipped, plan.reason) == ("ap@acme.example", 0, (-3,), "")
    assert plan.letter.subject == "Invoice INV-2026-001 is due today"
    assert run(session, 0) == [(plan.to, plan.kind.value)]
    assert planned(session, DUE) == []


@pytest.mark.usefixtures("mail_server")
def test_somebody_reminds_now_once_and_the_schedule_does_not_follow_at_its_heels(session, invoice):
    switched_on(session)
    now, today = NOW + timedelta(days=38), DUE + timedelta(days=8)
    (plan,) = reminders.rehearse_now(session, GRACE, [invoice.id], now=now, today=today)
    assert (plan.step, plan.skipped, plan.reason) == (7, (-3, 0), "")
    done = reminders.remind_now(session, GRACE, [invoice.id], now=now, today=today)
    assert (len(done.message_ids), done.left_out) == (1, [])

    again = reminders.remind_now(session, GRACE, [invoice.id], now=now + timedelta(minutes=5), today=today)
    assert [plan.reason for plan in again.left_out] == ["a reminder waits in the outbox already"]
    assert run(session, 8) == []
    assert run(session, 14) == [("ap@acme.example", "reminder_late")]


def test_a_reminder_can_be_recalled_for_a_minute(session, invoice):
    now = NOW + timedelta(days=38)
    done = reminders.remind_now(session, GRACE, [invoice.id], now=now, today=DUE + timedelta(days=8))
    message = session.get_one(OutboxMessage, done.message_ids[0])
    assert message.not_before == now + timedelta(seconds=60)
    assert service.recall(session, GRACE, done.message_ids, now=now) == 1
    session.refresh(message)
    assert message.state is MessageState.RECALLED


def test_who_cannot_be_reminded_now_is_left_out_with_the_reason(session):
    customer = a_customer(session)
    draft, paid = a_draft(session, customer), an_invoice(session, customer)
    pay(session, paid)
    done = reminders.remind_now(session, GRACE, [draft.id, paid.id], now=LATER, today=TODAY)
    assert [plan.reason for plan in done.left_out] == ["has not been sent yet", "is paid"]


def test_thousands_are_reminded_in_portions(session):
    customer = a_customer(session)
    for _ in range(5):
        an_invoice(session, customer)
    switched_on(session)
    assert [reminders.run(session, SYSTEM, now=LATER, today=DUE, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_each_business_has_its_own_schedule(session, invoice):
    business_id = default_business(session).id
    assert reminder_schedules.of_business(session, READER, business_id).steps == STEPS
    switched_on(session, steps=(30, 5))
    assert reminder_schedules.of_business(session, READER, business_id).steps == (5, 30)
    assert run(session, 4) == []
    assert len(run(session, 5)) == 1
    for wrong in ([], [1, 1], [-61], [366], range(13)):
        with pytest.raises(Invalid):
            switched_on(session, steps=list(wrong))
    with pytest.raises(Forbidden):
        reminder_schedules.change(session, READER, business_id, reminds=True, steps=[1], now=NOW, today=TODAY)


def test_a_due_date_that_moves_into_the_future_starts_the_schedule_again(session, invoice):
    """Reminded before and on April 1; on April 2 it is put off to May 1, and each step is sent once more."""
    switched_on(session)
    assert [len(run(session, day)) for day in (-3, 0)] == [1, 1]
    put_off = {"now": LATER, "today": DUE + timedelta(days=1)}
    invoices.update_details(session, GRACE, invoice.id, Details(due_on=date(2026, 5, 1)), **put_off)

    sent = {day: [topic for _, topic in run(session, day)] for day in range(1, 39)}

    # May 1 is thirty days after April 1.
    assert {day: topics for day, topics in sent.items() if topics} == {
        27: ["reminder_before"],
        30: ["reminder_due"],
        37: ["reminder_late"],
    }


def test_a_due_date_that_moves_back_does_not_repeat_what_was_sent(session, invoice):
    switched_on(session)
    assert len(run(session, 7)) == 1
    moved = {"now": LATER, "today": DUE + timedelta(days=7)}
    invoices.update_details(session, GRACE, invoice.id, Details(due_on=DUE - timedelta(days=2)), **moved)
    assert run(session, 8) == []


@pytest.mark.parametrize(("credit", "reminded"), [(237_99, 2), (238_00, 1), (475_99, 1), (476_00, 0)])
def test_nobody_is_reminded_of_what_the_customers_credit_covers(session, invoice, credit, reminded):
    """Two invoices of 238.00, due on the same day: the credit pays the first one first."""
    switched_on(session)
    second = an_invoice(session, invoice.customer_id)
    money = Received("USD", credit, PaymentMethod.CASH, TODAY, "")
    customer_id = invoice.customer_id
    received.record(session, GRACE, customer_id=customer_id, received=money, allocations={}, today=TODAY, now=NOW)

    plans = reminders.rehearse_now(session, GRACE, [invoice.id, second.id], now=LATER, today=DUE)
    covered = "is covered by the customer’s credit: use it for the invoice"
    assert [plan.reason for plan in plans] == [covered] * (2 - reminded) + [""] * reminded
    assert len(run(session, 0)) == reminded


@pytest.mark.parametrize(
    ("told", "reminded"), [({}, False), ({"last_failed_at": 1}, True), ({"last_failed_at": -1}, False)]
)
def test_nobody_is_reminded_while_a_payment_is_on_its_way(session, invoice, told, reminded):
    """A debit of March 31, which failed an hour later, or after which nothing was told."""
    switched_on(session)
    begun = datetime(2026, 3, 31, 12, tzinfo=UTC)
    link = a_link(session, invoice)
    link.last_pending_at = begun
    for name, hours in told.items():
        setattr(link, name, begun + timedelta(hours=hours))
    session.flush()

    assert (run(session, 0) != []) is reminded
    (plan,) = reminders.rehearse_now(session, GRACE, [invoice.id], now=LATER, today=DUE)
    assert (plan.reason == "is being paid: a charge is under way") is not reminded
    # What is not told of after three weeks does not come any more.
    if not reminded:
        assert (run(session, 20), len(run(session, 21))) == ([], 1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_charge_that_fails_again_and_again_is_reminded_of_by_the_days_since_the_first_time(sessions):
    """It fails on March 5, 8 and 11, so that March 4 is the last day in time: a reminder then and one on the 11th."""
    with sessions.begin() as session:
        invoice, link = linked(session, way=HOSTED)
        switched_on(session, steps=(0, 7), today=date(2026, 3, 4))
    payment, sent = paying(link, invoice), []
    for day in range(4, 16):
        now = datetime(2026, 3, day, 12, tzinfo=UTC)
        if day in (5, 8, 11):
            tell(sessions, payment.invoice_failed(at=int(now.timestamp())), now=now)
        with sessions.begin() as session:
            if reminders.run(session, SYSTEM, now=now, today=now.date()):
                sent.append(day)
    assert sent == [5, 11]


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        ("en", "Invoice INV-2026-001 is overdue", "is overdue: we ask for its payment now."),
        ("de", "Rechnung INV-2026-001 ist überfällig", "ist überfällig. Wir bitten Sie, sie jetzt zu bezahlen."),
        ("fr", "La facture INV-2026-001 est en retard de paiement", "est en retard de paiement : nous vous prions"),
        ("es", "La factura INV-2026-001 está vencida", "está vencida: le rogamos que la pague ahora."),
    ],
)
def test_what_is_overdue_before_its_due_date_is_said_to_be_overdue(session, language, subject, words):
    """Due on April 1, and marked as overdue on March 2."""
    invoice = an_invoice(session, a_customer(session), language=language)
    after_sending.mark_overdue(session, GRACE, invoice.id, now=NOW)
    (plan,) = reminders.rehearse_now(session, GRACE, [invoice.id], now=NOW, today=TODAY + timedelta(days=1))
    assert plan.letter.subject == subject
    assert words in plan.letter.text
    assert writing(language).long_day(DUE) not in plan.letter.text
