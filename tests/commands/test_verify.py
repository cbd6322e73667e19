"""Every check of ``verify`` holds for a company with something of everything, and fails where that is damaged."""

from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.commands import verify
from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices import from_reports
from billing_core.invoices.models import CreditNoteLine, InvoiceLineItem
from billing_core.invoices.payment_links import Mode
from billing_core.ledger import sealing
from billing_core.metering import ingestion, meters, withdrawal
from billing_core.metering.archives import moving
from billing_core.metering.archives.moving import ArchiveFile
from billing_core.online_payments.gateway import AttachedMethod
from billing_core.online_payments.models import AttemptState, ChargeAttempt, DisputeState, SandboxCharge, SandboxRefund
from billing_core.online_payments.off_session import methods
from billing_core.online_payments.webhooks import disputes, refund_recording
from billing_core.online_payments.webhooks.facts import Disputed
from billing_core.payments import chargebacks, received
from billing_core.payments.chargebacks import TakenBack
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.received import GatewayNames, Received
from billing_core.reports import coverage
from tests.commands import test_verify_billed_usage as billed_usage
from tests.commands import test_verify_subscriptions as subscriptions
from tests.commands.damages import DAMAGES
from tests.commands.proving import found_wrong, rooms_of_checks
from tests.invoices.test_searching import FOUND
from tests.ledger.damaging import as_if_nothing_refused
from tests.online_payments.linked import a_link
from tests.payments.prepaid import damages as prepaid
from tests.receivables.history import History
from tests.reports.company import LATER, a_customer, an_order, billed
from tests.usage.test_late_meters import FOLLOWED


@pytest.fixture
def company(session) -> None:
    """ACME is billed in New York's days; of its three events in March the first was withdrawn, the two in
    February are archived.

    Report 1 was superseded by 3; 2 has a question. Invoice 1 is paid and refunded in part, 2 is partly paid,
    credited and written off, 3 was paid online and a part of that went back, 4 can be paid by a link after its first
    payment was undone, 5 is cancelled. Of 5.00 that were kept for the customer, 1.00 was paid out.
    """
    acme = a_customer(session)
    an_order(session, acme, "A-1")
    billed(session, acme)
    poor = a_customer(session, "POOR", name="Poor", priced=False)
    an_order(session, poor, "P-1")
    billed(session, poor)
    an_order(session, acme, "A-2")
    month = billed(session, acme, now=LATER)
    an_order(session, acme, "A-3", on=date(2026, 5, 7))
    coverage.refresh(session)
    some_usage(session, acme)

    history = History(session)
    customer = history.a_customer("C1")
    first, second, online = history.send(customer, 100_00), history.send(customer, 50_00), history.send(customer, 7_00)
    linked, cancelled = history.send(customer, 9_00), history.send(customer, 3_00)
    history.next_step(days=1)
    history.pay({first: 100_00, second: 20_00}, kept=5_00, fee=2_00)
    history.credit_note(second, 5_00)
    a_tenth_of_its_line(session)
    history.write_off(second, 1_00)
    history.refund(first, 30_00)
    history.pay_out(customer, 1_00)
    history.undo_payment(history.pay({linked: 9_00}))
    history.credit_note(cancelled, 1_00)
    history.cancel(cancelled)
    days = {"today": history.day, "now": history.now}
    money = Received("USD", 7_00, PaymentMethod.STRIPE, history.day)
    names = GatewayNames(Mode.TEST, "pi_1", "pi_1", "ch_1")
    came = received.record_collected(session, SYSTEM, online, received=money, names=names, pays=True, **days)
    came.public_id = "pay_online"
    card_of_the_payment(session, customer.id, online.id, came)
    back = {"reason": "returned", "refunded_on": history.day, **days}
    refund_recording.note_refunded(session, SYSTEM, came.id, 2_00, **back)
    disputed(session, came, **days)
    link = a_link(session, linked)
    charge = SandboxCharge(
        intent_id="pi_sandbox_1",
        charge_id="ch_sandbox_1",
        link_id=link.id,
        succeeded=True,
        currency="USD",
        amount_minor=9_00,
        refunded_minor=3_00,
        created_at=history.now,
    )
    session.add(charge)
    session.flush()
    facts = {"charge_id": charge.id, "amount_minor": 3_00, "created_at": history.now}
    session.add(SandboxRefund(refund_id="re_sandbox_1", key="rfq_1", **facts))
    session.flush()
    # Drafts 6 and 7 both bill the report.
    for reason in ("", "Agreed"):
        from_reports.draft_from_report(
            session, SYSTEM, month.id, again_reason=reason, now=history.now, today=history.day
        )
    # The last entry still waits for its seal.
    assert sealing.seal(session, now=history.now, limit=20) == 20
    assert sealing.waiting(session)


def a_tenth_of_its_line(session: Session) -> None:
    """What the only credit note takes back was chosen by its line."""
    line, (credited,) = session.get_one(InvoiceLineItem, 2), session.scalars(select(CreditNoteLine))
    credited.invoice_line_id, credited.quantity, credited.unit_price = line.id, line.quantity / 10, line.unit_price


def disputed(session: Session, payment: Payment, *, today: date, now: datetime) -> None:
    """A dispute with a fee of 15.00 took 1.00, which is written off, and another took 2.00, which came back."""
    at: dict[str, Any] = {"at": now, "reason": "x", "opened_at": now, "intent_id": "pi_1", "charge_id": "ch_1"}
    told = Disputed("dp_1", currency="USD", amount_minor=1_00, state=DisputeState.OPEN, fee_minor=15_00, **at)
    disputes.note(session, SYSTEM, payment, None, told, today=today, now=now)
    for key, amount, lost in (("dispute:dp_1", 1_00, True), ("dispute:dp_2", 2_00, False)):
        taken = TakenBack(key, amount, "lost", lost)
        chargebacks.take_back(session, SYSTEM, payment.id, taken, today=today, now=now)
    chargebacks.give_back(session, SYSTEM, "dispute:dp_2", today=today, now=now)


def card_of_the_payment(session: Session, customer_id: int, invoice_id: int, payment: Payment) -> None:
    """The payment came by charging a card on file."""
    attached = AttachedMethod("cus_1", "pm_1", "visa", "4242", 12, 2030)
    method_id = methods.record(session, SYSTEM, customer_id, attached, mode=Mode.TEST, now=LATER)
    attempt = ChargeAttempt(
        public_id="att_1",
        invoice_id=invoice_id,
        method_id=method_id,
        state=AttemptState.SUCCEEDED,
        currency=payment.currency,
        amount_minor=payment.amount_minor,
        description="Charge",
        payment_id=payment.id,
        started_at=LATER,
        finished_at=LATER,
        created_by="system",
    )
    session.add(attempt)
    session.flush()


def some_usage(session: Session, acme: int) -> None:
    session.get_one(Customer, acme).time_zone = "America/New_York"
    meters.add_bucket(session, SYSTEM, "api_calls", code="eu", name="EU", filters={"region": ["eu"]}, now=LATER)
    told = [
        {"id": "u-1", "customer_ref": "ACME", "time": "2026-03-08T12:00:00Z", "user": "ana"},
        {"id": "u-2", "customer_ref": "ACME", "time": "2026-03-10T02:00:00Z", "user": "ana", "quantity": 3},
        {"id": "u-3", "customer_ref": "ACME", "time": "2026-03-10T12:00:00Z", "user": "ben", "response_time": 2},
    ]
    told[2]["properties"] = {"region": "eu"}
    assert ingestion.record(session, SYSTEM, told, now=LATER).accepted == 3
    withdrawal.withdraw(session, SYSTEM, acme, "u-1", reason="A test", now=LATER)
    archived = [
        {"id": "a-1", "customer_ref": "ACME", "time": "2026-02-10T12:00:00Z", "user": "ida"},
        {"id": "a-2", "customer_ref": "ACME", "time": "2026-02-11T12:00:00Z", "user": "eva"},
    ]
    assert ingestion.record(session, SYSTEM, archived, now=LATER).accepted == 2
    february = date(2026, 2, 1)
    content = moving.content_of(session, moving.events_of(february))
    moving.put_away(session, february, ArchiveFile("2026-02.parquet", "f00d", 1, content), now=LATER)


# With companies of their own.
ELSEWHERE = {*billed_usage.DAMAGES, *prepaid.DAMAGES, *subscriptions.DAMAGES, FOLLOWED, FOUND}


def test_every_check_has_a_damaged_example(session):
    assert {check.name for check in verify.checks(session)} == {*DAMAGES, *ELSEWHERE}
    assert all(DAMAGES.values())


def test_each_check_holds_and_fails_where_it_is_damaged(session, company, subtests):
    holding = list(verify.checks(session))
    assert [check for check in holding if check.wrong or not (check.proven or check.name in ELSEWHERE)] == []
    rooms = rooms_of_checks(session)
    for name, damages in DAMAGES.items():
        for statement, *words in damages:
            with subtests.test(check=name, damage=statement):
                undo = session.begin_nested()
                as_if_nothing_refused(session, statement)
                found = found_wrong(session, name, rooms[name])
                undo.rollback()
                assert found == tuple(words)
