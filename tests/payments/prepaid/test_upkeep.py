"""What happens to credit by itself: bought, expired, withdrawn and restored, each once."""

from datetime import date, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from billing_core.audit.models import AuditEntry
from billing_core.businesses.queries import default_business
from billing_core.identity import SYSTEM
from billing_core.invoices import credit_notes
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.ledger.models import EntryKind, LedgerEntry
from billing_core.payments import credit, received, refunds, write_offs
from billing_core.payments.models import Payment, PaymentMethod
from billing_core.payments.prepaid import granting, queries, upkeep
from billing_core.payments.prepaid.models import MovementKind, Origin, PrepaidGrant, PrepaidMovement
from billing_core.payments.refunds import MoneyBack
from tests.at_once import at_once
from tests.payments.books import NOW, TODAY, a_customer, accounts, pay
from tests.payments.prepaid.ahead import buy, give, keep_up, left, prepaid, sell, use, wrong_in

DAY = {"today": TODAY, "now": NOW}


def test_bought_credit_is_there_once_its_invoice_is_paid_in_full(session):
    customer = a_customer(session)
    purchase = sell(session, customer, 100_00, valid_days=30)
    assert keep_up(session) == 0
    pay(session, customer, 40_00, **{str(purchase.invoice_id): 40_00})
    assert keep_up(session) == 0
    pay(session, customer, 60_00, **{str(purchase.invoice_id): 60_00})
    assert keep_up(session) == 1
    (row,) = queries.grants(session, SYSTEM, customer.id)
    assert (row.origin, row.amount_minor, row.remaining_minor, row.invoice_id) == (
        Origin.BOUGHT,
        100_00,
        100_00,
        purchase.invoice_id,
    )
    # Paid on 10 March: the thirtieth day from then on is 8 April.
    assert row.expires_on == date(2026, 4, 8)
    # What its invoice posted as revenue is none until the credit is used.
    assert accounts(session) == {"cash": 100_00, "prepaid_credit": -100_00}
    assert keep_up(session) == 0
    use(session, customer, "30")
    assert accounts(session) == {"cash": 100_00, "prepaid_credit": -70_00, "revenue": -30_00}
    (trace,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "prepaid.credit"))
    assert trace.after["amount_minor"] == 100_00
    assert wrong_in(session) == []


def test_credit_bought_for_ever_and_for_a_day(session):
    customer = a_customer(session)
    buy(session, customer, 1_00)
    buy(session, customer, 1_00, valid_days=1)
    assert [row.expires_on for row in queries.grants(session, SYSTEM, customer.id)] == [TODAY, None]


@pytest.mark.parametrize("way", ["write_off", "credit_note"])
def test_who_was_let_off_paying_has_bought_nothing(session, way):
    customer = a_customer(session)
    purchase = sell(session, customer, 10_00)
    pay(session, customer, 9_00, **{str(purchase.invoice_id): 9_00})
    if way == "write_off":
        write_offs.write_off(session, SYSTEM, purchase.invoice_id, reason="Let off", **DAY)
    else:
        facts = {"amount_minor": 1_00, "reason": "Let off", "issued_on": TODAY}
        credit_notes.issue(session, SYSTEM, purchase.invoice_id, **facts, **DAY)
    assert session.get_one(Invoice, purchase.invoice_id).state is InvoiceState.PAID
    assert keep_up(session) == 0


def test_credit_expires_after_its_last_day_once(session):
    customer = a_customer(session)
    give(session, customer, 30_00, TODAY)
    buy(session, customer, 20_00, valid_days=1)
    give(session, customer, 10_00, TODAY + timedelta(days=1))
    use(session, customer, "5")
    assert keep_up(session) == 0
    tomorrow = NOW + timedelta(days=1)
    assert keep_up(session, now=tomorrow) == 2
    assert left(session) == [0, 0, 10_00]
    # 25.00 were given for nothing; 20.00 were paid and are ours now.
    assert accounts(session) == {"cash": 20_00, "prepaid_credit": -10_00, "promotion": 15_00, "revenue": -25_00}
    assert keep_up(session, now=tomorrow) == 0
    entries = select(LedgerEntry.effective_on).where(LedgerEntry.kind == EntryKind.PREPAID_ENDED)
    assert set(session.scalars(entries)) == {TODAY + timedelta(days=1)}
    expired = select(func.count()).where(AuditEntry.action == "prepaid.expired")
    assert session.scalar(expired) == 2
    assert wrong_in(session) == []


def test_the_last_day_is_one_of_the_business(session):
    """Its day of NOW begins and ends hours away from UTC's."""
    default_business(session).time_zone = "Pacific/Kiritimati"
    give(session, a_customer(session), 30_00, TODAY)
    # There the 11th begins at ten o'clock in UTC on the 10th.
    assert keep_up(session, now=NOW.replace(hour=9, minute=59)) == 0
    assert keep_up(session, now=NOW.replace(hour=10)) == 1


@pytest.mark.parametrize(("zone", "last_hour"), [("Pacific/Kiritimati", 9), ("America/Los_Angeles", 30)])
def test_a_customer_that_is_billed_in_a_zone_of_its_own_has_the_last_day_there(session, zone, last_hour):
    """That of 10 March ends in Kiritimati at 10 o'clock in UTC, and in Los Angeles at 7 o'clock on the 11th."""
    customer = a_customer(session)
    customer.time_zone = zone
    give(session, customer, 30_00, TODAY)
    midnight = NOW.replace(hour=0, minute=0)
    last, over = midnight + timedelta(hours=last_hour, minutes=59), midnight + timedelta(hours=last_hour + 1)
    assert keep_up(session, now=last) == 0
    assert use(session, customer, "4", now=last).paid_minor == 4_00
    assert use(session, customer, "4", now=over).paid_minor == 0
    assert keep_up(session, now=over) == 1
    assert (left(session), wrong_in(session)) == ([0], [])


def undo(session, customer):
    payment = session.scalars(select(Payment.id).where(Payment.undone_at.is_(None))).one()
    received.undo(session, SYSTEM, payment, reason="Bounced", **DAY)


def refund(session, customer):
    invoice = session.scalars(select(Invoice.id).where(Invoice.paid_minor == 50_00)).first()
    refunds.refund(session, SYSTEM, invoice, wanted=MoneyBack("Returned", PaymentMethod.CASH, TODAY, 1_00), **DAY)


@pytest.mark.parametrize("way", [undo, refund])
def test_credit_that_is_not_paid_any_more_is_withdrawn_as_far_as_it_is_left(session, way):
    customer = a_customer(session)
    buy(session, customer, 50_00)
    use(session, customer, "20")
    way(session, customer)
    assert keep_up(session) == 1
    assert left(session) == [0]
    assert accounts(session).get("prepaid_credit") is None
    assert keep_up(session) == 0
    assert wrong_in(session) == []


def test_what_is_paid_again_is_restored_and_what_was_used_is_not(session):
    customer = a_customer(session)
    purchase = sell(session, customer, 50_00)
    for _ in range(2):
        pay(session, customer, 50_00, **{str(purchase.invoice_id): 50_00})
        keep_up(session)
        undo(session, customer)
        keep_up(session)
        assert left(session) == [0]
    pay(session, customer, 50_00, **{str(purchase.invoice_id): 50_00})
    keep_up(session)
    assert left(session) == [50_00]
    use(session, customer, "20")
    undo(session, customer)
    keep_up(session)
    pay(session, customer, 50_00, **{str(purchase.invoice_id): 50_00})
    keep_up(session)
    assert left(session) == [30_00]
    assert wrong_in(session) == []


def test_what_is_paid_again_after_its_last_day_can_be_used_for_the_days_that_were_sold(session):
    customer = a_customer(session)
    purchase = sell(session, customer, 50_00, valid_days=3)
    pay(session, customer, 50_00, **{str(purchase.invoice_id): 50_00})
    keep_up(session)
    undo(session, customer)
    keep_up(session)
    pay(session, customer, 50_00, **{str(purchase.invoice_id): 50_00})
    later = NOW + timedelta(days=10)
    assert keep_up(session, now=later) == 1
    (row,) = queries.grants(session, SYSTEM, customer.id)
    assert (row.remaining_minor, row.expires_on) == (50_00, TODAY + timedelta(days=12))
    assert wrong_in(session) == []


def test_what_comes_back_to_credit_that_was_withdrawn_is_withdrawn_too(session):
    customer = a_customer(session)
    buy(session, customer, 50_00)
    invoice = use(session, customer, "20")
    undo(session, customer)
    keep_up(session)
    (allocation,) = prepaid(session, invoice)
    credit.release(session, SYSTEM, allocation.id, reason="A mistake", **DAY)
    assert left(session) == [20_00]
    assert keep_up(session) == 1
    assert (left(session), wrong_in(session)) == ([0], [])


def test_given_credit_that_was_taken_back_stays_so(session):
    grant_id = give(session, a_customer(session), 10_00)
    granting.take_back(session, SYSTEM, grant_id, reason="A mistake", **DAY)
    assert keep_up(session) == 0


@pytest.mark.slow
def test_by_several_at_once_everything_happens_once(sessions):
    with sessions.begin() as session:
        customer = a_customer(session)
        for _ in range(3):
            purchase = sell(session, customer, 10_00)
            pay(session, customer, 10_00, **{str(purchase.invoice_id): 10_00})
            give(session, customer, 5_00, TODAY)
    tomorrow = NOW + timedelta(days=1)

    def work(limit: int) -> int:
        with sessions.begin() as session:
            return upkeep.run(session, SYSTEM, now=tomorrow, limit=limit)

    assert sum(at_once(*(partial(work, 10) for _ in range(4)))) == 6
    with sessions() as session:
        assert sorted(session.scalars(select(PrepaidGrant.remaining_minor))) == [0, 0, 0, 10_00, 10_00, 10_00]
        kinds = session.scalars(select(PrepaidMovement.kind)).all()
        assert kinds == [MovementKind.EXPIRED] * 3
        assert wrong_in(session) == []
