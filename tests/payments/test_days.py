"""On which day a change counts: never before what it changes, so that no balance of the past falls below 0."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from billing_core import figures
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Invalid
from billing_core.figures import Scope
from billing_core.identity import SYSTEM
from billing_core.invoices import after_sending, credit_notes, queries, service
from billing_core.invoices.models import CreditNote
from billing_core.invoices.payment_links import Mode
from billing_core.ledger.models import Account, LedgerPosting
from billing_core.online_payments.webhooks import refund_recording
from billing_core.payments import chargebacks, credit, received, refunds, write_offs
from billing_core.payments.chargebacks import TakenBack
from billing_core.payments.models import Allocation, PaymentMethod, Refund
from billing_core.payments.received import GatewayNames
from billing_core.payments.refunds import MoneyBack
from billing_core.receivables import ageing, statement, verification
from billing_core.receivables import figures as figures_of_money
from tests.payments.books import NOW, TODAY, a_customer, a_draft, an_open_invoice, another_business, bank_transfer, pay

NEXT_MONTH = date(2026, 4, 1)


@pytest.fixture
def dated_ahead(session):
    """An open invoice of 100.00 EUR that is dated the first of next month."""
    draft = a_draft(session, a_customer(session))
    content = replace(queries.content(session, draft), issued_on=NEXT_MONTH, due_on=NEXT_MONTH)
    service.edit(session, SYSTEM, draft.id, content, drawn_from=draft.version, now=NOW)
    return service.send(session, SYSTEM, draft.id, now=NOW)


def owed(session, invoice, day: date) -> int:
    """What was owed on the invoice at the end of a day."""
    amounts = session.scalars(
        select(LedgerPosting.amount_minor).where(
            LedgerPosting.account == Account.RECEIVABLE,
            LedgerPosting.invoice_id == invoice.id,
            LedgerPosting.effective_on <= day,
        )
    )
    return sum(amounts)


def cancelled(session, invoice):
    after_sending.cancel(session, SYSTEM, invoice.id, now=NOW, today=TODAY)


def written_off(session, invoice):
    write_offs.write_off(session, SYSTEM, invoice.id, reason="Bankrupt", today=TODAY, now=NOW)


def paid_from_credit(session, invoice):
    customer_id, money = invoice.customer_id, bank_transfer(10_000)
    received.record(session, SYSTEM, customer_id=customer_id, received=money, allocations={}, today=TODAY, now=NOW)
    credit.apply(session, SYSTEM, invoice.id, amount_minor=10_000, today=TODAY, now=NOW)


@pytest.mark.parametrize("settled", [cancelled, written_off, paid_from_credit])
def test_what_settles_an_invoice_that_is_dated_ahead_counts_from_the_invoices_own_day(session, dated_ahead, settled):
    settled(session, dated_ahead)

    assert [owed(session, dated_ahead, day) for day in (TODAY, NEXT_MONTH - timedelta(days=1), NEXT_MONTH)] == [0, 0, 0]


def test_a_refund_of_what_is_dated_ahead_counts_on_the_invoices_own_day(session, dated_ahead):
    received.record_for(session, SYSTEM, dated_ahead.id, received=bank_transfer(10_000), today=TODAY, now=NOW)
    wanted = MoneyBack("returned", None, NEXT_MONTH)
    refunds.refund(session, SYSTEM, dated_ahead.id, wanted=wanted, today=TODAY, now=NOW)

    assert owed(session, dated_ahead, NEXT_MONTH) == 0
    assert refunds.possible_days(session, dated_ahead.id, NEXT_MONTH, today=TODAY) == Period(NEXT_MONTH, NEXT_MONTH)


@pytest.mark.parametrize(("on", "reason"), [(-1, "had not come in"), (1, "in the future")])
def test_money_goes_back_after_it_came_in_and_not_in_the_future(session, on, reason):
    invoice = an_open_invoice(session, a_customer(session), "100")
    received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(10_000), today=TODAY, now=NOW)
    wanted = MoneyBack("returned", None, TODAY + timedelta(days=on))
    with pytest.raises(Invalid) as refusal:
        refunds.refund(session, SYSTEM, invoice.id, wanted=wanted, today=TODAY, now=NOW)
    assert reason in refusal.value.fields["refunded_on"]


def test_what_a_gateway_gave_back_before_the_rest_came_in_counts_when_it_had(session):
    invoice = an_open_invoice(session, a_customer(session), "100")
    early = replace(bank_transfer(6_000), method=PaymentMethod.STRIPE, received_on=TODAY - timedelta(days=5))
    by_card = received.record_for(session, SYSTEM, invoice.id, received=early, today=TODAY, now=NOW)
    received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(4_000), today=TODAY, now=NOW)
    told = {"reason": "returned", "refunded_on": TODAY - timedelta(days=3), "today": TODAY, "now": NOW}
    refund_recording.note_refunded(session, SYSTEM, by_card.id, 6_000, **told)

    (made,) = session.scalars(select(Refund))
    assert (made.amount_minor, made.refunded_on) == (6_000, TODAY)


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1899, 12, 31), TODAY + timedelta(days=1)])
def test_money_came_in_on_a_day_that_there_was(session, day):
    money = replace(bank_transfer(10_000), received_on=day)
    with pytest.raises(Invalid) as refusal:
        received.record(
            session, SYSTEM, customer_id=a_customer(session).id, received=money, allocations={}, today=TODAY, now=NOW
        )
    assert "received_on" in refusal.value.fields


def written_off_and_taken_back(session, invoice):
    written_off(session, invoice)
    write_offs.undo_write_off(session, SYSTEM, invoice.id, reason="They pay after all", today=TODAY, now=NOW)


def paid_from_credit_and_released(session, invoice):
    paid_from_credit(session, invoice)
    (allocation_id,) = session.scalars(select(Allocation.id))
    credit.release(session, SYSTEM, allocation_id, reason="Of another invoice", today=TODAY, now=NOW)


def paid_and_undone(session, invoice):
    paid = received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(10_000), today=TODAY, now=NOW)
    received.undo(session, SYSTEM, paid.id, reason="Recorded wrongly", today=TODAY, now=NOW)


def paid_released_and_undone(session, invoice):
    paid = received.record_for(session, SYSTEM, invoice.id, received=bank_transfer(10_000), today=TODAY, now=NOW)
    (allocation_id,) = session.scalars(select(Allocation.id))
    credit.release(session, SYSTEM, allocation_id, reason="Of another invoice", today=TODAY, now=NOW)
    received.undo(session, SYSTEM, paid.id, reason="Recorded wrongly", today=TODAY, now=NOW)


@pytest.mark.parametrize(
    "taken_back",
    [written_off_and_taken_back, paid_from_credit_and_released, paid_and_undone, paid_released_and_undone],
)
def test_what_takes_that_back_does_not_count_before_it_either(session, dated_ahead, taken_back):
    taken_back(session, dated_ahead)

    assert [owed(session, dated_ahead, day) for day in (TODAY, NEXT_MONTH)] == [0, 10_000]
    assert credit.balance(session, dated_ahead.business_id, dated_ahead.customer_id, "EUR").minor in (0, 10_000)


def test_money_that_came_before_the_invoices_day_is_credit_until_then(session, dated_ahead):
    """160.00 EUR on 10 March: 100.00 pay the invoice of 1 April, 50.00 one of 1 March, 10.00 nothing. Another business
    and another currency have nothing to do with it.
    """
    customer = session.get_one(Customer, dated_ahead.customer_id)
    of_march = an_open_invoice(session, customer, "50")
    in_dollars = an_open_invoice(session, customer, "70", currency="USD")
    of_other = an_open_invoice(session, customer, "80", business_id=another_business(session).id)
    pay(session, customer, 160_00, **{str(dated_ahead.id): 100_00, str(of_march.id): 50_00})
    session.flush()

    def ageing_of(day):
        rows = ageing.by_currency(session, SYSTEM, Scope(as_at=day))
        return {row.currency: (row.invoices, row.total_minor) for row in rows}

    def statement_of(day, business_id):
        period = Period(date(2026, 3, 1), day)
        request = statement.StatementRequest(customer.id, "EUR", period, business_id)
        found = statement.statement(session, SYSTEM, request)
        return sum(found.aged), found.credit_minor, found.closing_minor, len(found.rows)

    before, kept = NEXT_MONTH - timedelta(days=1), figures_of_money.CUSTOMER_CREDIT
    assert ageing_of(before) == {"EUR": (1, 80_00), "USD": (1, 70_00)}
    assert statement_of(before, customer.business_id) == (0, 110_00, -110_00, 2)
    assert figures.value(session, SYSTEM, kept, Scope(as_at=before)) == {"EUR": 110_00}
    assert owed(session, dated_ahead, before) == 0
    # The payment is one row of the statement, and that it pays the invoice later is none.
    assert statement_of(NEXT_MONTH, customer.business_id) == (0, 10_00, -10_00, 3)
    assert ageing_of(NEXT_MONTH) == {"EUR": (1, 80_00), "USD": (1, 70_00)}
    assert figures.value(session, SYSTEM, kept, Scope(as_at=NEXT_MONTH)) == {"EUR": 10_00}
    assert (dated_ahead.due_minor, of_march.due_minor, in_dollars.due_minor, of_other.due_minor) == (0, 0, 7000, 8000)
    assert [check for check in verification.checks(session, today=TODAY) if check.wrong] == []


THIRD, BETWEEN = date(2026, 3, 3), date(2026, 3, 5)


def of_the_third(session, invoice, amount_minor=10_000):
    """Recorded today, with the day on which the money came."""
    money = replace(bank_transfer(amount_minor), received_on=THIRD)
    paid = {invoice.id: amount_minor}
    return received.record(
        session, SYSTEM, customer_id=invoice.customer_id, received=money, allocations=paid, today=TODAY, now=NOW
    )


def paid_on_the_third_until_today(session, invoice, amount_minor=10_000):
    wrong = of_the_third(session, invoice, amount_minor)
    received.undo(session, SYSTEM, wrong.id, reason="Another reference", today=TODAY, now=NOW)


def proved(session) -> bool:
    session.flush()
    return [check.name for check in verification.checks(session, today=TODAY) if check.wrong] == []


def test_a_payment_that_is_undone_and_recorded_again_on_its_day_is_credit_until_the_invoice_is_due_again(session):
    """100.00 of 1 March are paid on the 3rd, undone on the 10th, and recorded again as of the 3rd."""
    invoice = an_open_invoice(session, a_customer(session), "100")
    paid_on_the_third_until_today(session, invoice)
    again = of_the_third(session, invoice)
    session.flush()

    def as_at(day):
        (aged,) = ageing.by_currency(session, SYSTEM, Scope(as_at=day)) or [None]
        kept = figures.value(session, SYSTEM, figures_of_money.CUSTOMER_CREDIT, Scope(as_at=day))
        return aged.total_minor if aged else 0, kept.get("EUR", 0)

    before = date(2026, 3, 2)
    assert [as_at(day) for day in (before, BETWEEN, TODAY)] == [(100_00, 0), (0, 100_00), (0, 0)]
    (allocation,) = session.scalars(select(Allocation).where(Allocation.payment_id == again.id))
    assert (again.received_on, allocation.allocated_on, invoice.due_minor) == (THIRD, TODAY, 0)
    assert proved(session)

    received.undo(session, SYSTEM, again.id, reason="Not theirs", today=TODAY, now=NOW)
    assert (owed(session, invoice, BETWEEN), owed(session, invoice, TODAY), invoice.due_minor) == (0, 100_00, 100_00)
    assert credit.balance(session, invoice.business_id, invoice.customer_id, "EUR").minor == 0
    assert proved(session)


def test_what_the_invoice_owed_all_along_is_paid_on_the_day_the_money_came(session):
    """Of 100.00, 60.00 were paid from the 3rd until the 10th: 40.00 were owed on every day, 40.01 from the 10th on."""
    customer = a_customer(session)
    for amount, owed_between, kept in ((40_00, 0, 0), (40_01, 40_00, 40_01)):
        invoice = an_open_invoice(session, customer, "100")
        paid_on_the_third_until_today(session, invoice, 60_00)
        of_the_third(session, invoice, amount)

        assert (owed(session, invoice, BETWEEN), owed(session, invoice, TODAY)) == (owed_between, 100_00 - amount)
        found = figures.value(session, SYSTEM, figures_of_money.CUSTOMER_CREDIT, Scope(as_at=BETWEEN))
        assert found.get("EUR", 0) == kept
    assert proved(session)


def test_a_payment_of_before_a_chargeback_pays_what_is_due_again_from_that_day_on(session):
    invoice = an_open_invoice(session, a_customer(session), "100")
    by_card = replace(bank_transfer(10_000), method=PaymentMethod.STRIPE, received_on=date(2026, 3, 2))
    told = {"names": GatewayNames(Mode.TEST, "pi_1"), "pays": True, "today": TODAY, "now": NOW}
    paid = received.record_collected(session, SYSTEM, invoice, received=by_card, **told)
    chargebacks.take_back(session, SYSTEM, paid.id, TakenBack("dispute:dp_1", 100_00, "lost"), today=TODAY, now=NOW)
    of_the_third(session, invoice)

    assert [owed(session, invoice, day) for day in (date(2026, 3, 1), BETWEEN, TODAY)] == [100_00, 0, 0]
    assert proved(session)


def test_a_discount_for_early_payment_counts_with_the_payment_that_takes_it(session):
    """2 % off until 11 March. 100.00 came, it seemed, and it was 98.00: all is settled when the first is undone."""
    draft = a_draft(session, a_customer(session))
    content = replace(queries.content(session, draft), payment_terms="2 % 10 days, net 30")
    service.edit(session, SYSTEM, draft.id, content, drawn_from=draft.version, now=NOW)
    invoice = service.send(session, SYSTEM, draft.id, now=NOW)
    paid_on_the_third_until_today(session, invoice)
    of_the_third(session, invoice, 98_00)

    (note,) = session.scalars(select(CreditNote))
    assert (note.total_minor, note.issued_on, invoice.due_minor) == (2_00, TODAY, 0)
    assert [owed(session, invoice, day) for day in (BETWEEN, TODAY)] == [0, 0]
    assert proved(session)


def test_a_credit_note_is_of_no_day_on_which_less_was_due(session):
    invoice = an_open_invoice(session, a_customer(session), "100")
    paid_on_the_third_until_today(session, invoice, 60_00)
    facts = {"reason": "Returned", "issued_on": BETWEEN, "today": TODAY, "now": NOW}
    with pytest.raises(Invalid) as refusal:
        credit_notes.issue(session, SYSTEM, invoice.id, amount_minor=40_01, **facts)
    assert "before 2026-03-10" in refusal.value.fields["issued_on"]

    credit_notes.issue(session, SYSTEM, invoice.id, amount_minor=40_00, **facts)
    assert [owed(session, invoice, day) for day in (BETWEEN, TODAY)] == [0, 60_00]
    assert proved(session)
