"""Which payments go back to a card when a subscription is cancelled: each at most as much as it paid of the invoice.

30.00 were charged for the 28 days from 31 January, 10:00 on; half of them are not used after 13 February.
"""

from datetime import date

import pytest
from sqlalchemy import func, select, update

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.invoices.models import CreditNote
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments import cases
from billing_core.online_payments.cases import Cause
from billing_core.online_payments.gateway import GatewayRefund
from billing_core.online_payments.models import CaseKind, PaymentCase
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.webhooks import refund_recording
from billing_core.payments import credit, received, refunds
from billing_core.payments.models import Allocation, Payment, PaymentMethod
from billing_core.payments.received import Received
from billing_core.payments.refunds import MoneyBack
from billing_core.settings import settings as product_settings
from billing_core.subscriptions import clock
from billing_core.subscriptions.changes import cancelling
from tests.subscriptions.changed import D, cancelled_as_shown, subscribed
from tests.subscriptions.signed_up import BEGUN, at
from tests.subscriptions.test_closing import amounts, paid_in_cash
from tests.subscriptions.test_refunds_in_parts import (
    BEFORE_HALF,
    REFUND,
    Killed,
    charge,
    everything_holds,
    last_invoice,
    metered,
    refunded,
)


class Elsewhere(SandboxGateway):
    """It also refunds the payment ``pi_brought``, of which ``had_back`` minor units went back before."""

    had_back = 0

    def refund(self, intent_id: str, amount_minor: int, currency: str, *, reason: str, key: str) -> GatewayRefund:
        if intent_id != "pi_brought":
            return super().refund(intent_id, amount_minor, currency, reason=reason, key=key)
        return GatewayRefund("re_brought", intent_id, "ch_brought", self.had_back + amount_minor)


@pytest.fixture
def gateway(sessions, data_dir) -> Elsewhere:
    return Elsewhere(sessions, product_settings())


def paid_online(sessions, minor: int, pays: dict[int, int]) -> int:
    """A payment as gateways' were in books that were brought along: of several invoices, or more than is due."""
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id)).one()
        money = Received("USD", minor, PaymentMethod.STRIPE, date(2026, 1, 31))
        facts = {"customer_id": customer_id, "received": money, "allocations": pays}
        payment = received.record(session, SYSTEM, **facts, today=date(2026, 1, 31), now=BEGUN)
        payment.gateway_key = payment.intent_id = "pi_brought"
        payment.charge_id, payment.mode = "ch_brought", Mode.SANDBOX
        return payment.id


def paid_back_in_cash(sessions, invoice_id: int, minor: int, day: date) -> None:
    with sessions.begin() as session:
        in_cash = MoneyBack("Goodwill", PaymentMethod.CASH, day, minor)
        refunds.refund(session, SYSTEM, invoice_id, wanted=in_cash, today=day, now=at(day.month, day.day))


def cut_off(sessions, gateway, monkeypatch, public_id: str, now) -> None:
    """Cancel, and be killed before the refund is made."""

    def die(*_given, **_facts):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "refund", die)
        with pytest.raises(Killed):
            cancelling.cancel(sessions, SYSTEM, gateway, public_id, REFUND, now=now)


@pytest.mark.parametrize("place", [0, 1])
def test_a_payment_of_two_invoices_is_left_alone(sessions, gateway, place):
    """Of which of them the gateway refunds it cannot be said: a refund would be booked on the older one."""
    public_ids = [subscribed(sessions, gateway, card=None) for _ in range(2)]
    paid_online(sessions, 6_000, {1: 3_000, 2: 3_000})
    closing = cancelled_as_shown(sessions, gateway, public_ids[place], REFUND, BEFORE_HALF)
    assert amounts(closing) == (1_500, 0, 0, 0, 1_500)
    assert refunded(sessions) == []
    assert everything_holds(sessions)


def test_of_a_payment_larger_than_what_was_due_goes_back_what_it_paid(sessions, gateway):
    """It paid 10.00 of the invoice, and 20.00 are credit since."""
    public_id = subscribed(sessions, gateway, card=None)
    paid_in_cash(sessions, 2_000)
    paid_online(sessions, 3_000, {1: 1_000})
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, BEFORE_HALF)
    assert amounts(closing) == (1_500, 0, 0, 1_000, 500)
    assert refunded(sessions) == [(3_000, 1_000)]
    assert everything_holds(sessions)


def test_of_a_payment_goes_back_what_the_gateway_still_has_of_it(sessions, gateway):
    """25.00 went back at the payment service, and nobody has settled yet where they are taken from."""
    public_id = subscribed(sessions, gateway, card=None)
    payment_id = paid_online(sessions, 3_000, {1: 3_000})
    gateway.had_back = 2_500
    with sessions.begin() as session:
        customer_id = session.scalars(select(Customer.id)).one()
        cause = Cause("refund:1:2500", CaseKind.REFUND_UNMATCHED, customer_id, "USD", 2_500, "", None, payment_id)
        cases.open_case(session, SYSTEM, cause, now=BEGUN)
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, BEFORE_HALF)
    assert amounts(closing) == (1_500, 0, 0, 500, 1_000)
    assert everything_holds(sessions)


def test_a_payment_of_which_a_refund_did_not_reach_the_payer_is_left_alone(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    with sessions.begin() as session:
        payment = session.scalars(select(Payment)).one()
        cause = Cause("refund_failed:re_1", CaseKind.REFUND_FAILED, payment.customer_id, "USD", 1, "", None, payment.id)
        cases.open_case(session, SYSTEM, cause, now=BEGUN)
    assert amounts(cancelled_as_shown(sessions, gateway, public_id, REFUND, BEFORE_HALF)) == (1_500, 0, 0, 0, 1_500)


def test_a_payment_that_was_taken_off_the_invoice_is_left_alone(sessions, gateway):
    """It became credit, and credit pays the invoice since."""
    public_id = subscribed(sessions, gateway)
    day = {"today": date(2026, 2, 1), "now": at(2, 1)}
    with sessions.begin() as session:
        allocation_id = session.scalars(select(Allocation.id)).one()
        credit.release(session, SYSTEM, allocation_id, reason="Another invoice's", **day)
        credit.apply(session, SYSTEM, 1, amount_minor=3_000, **day)
    assert amounts(cancelled_as_shown(sessions, gateway, public_id, REFUND, BEFORE_HALF)) == (1_500, 0, 0, 0, 1_500)
    assert everything_holds(sessions)


@pytest.mark.parametrize(
    ("collected_in", "now_in", "to_card"),
    [
        (Mode.TEST, Mode.LIVE, 0),
        (Mode.SANDBOX, Mode.LIVE, 0),
        (Mode.LIVE, Mode.TEST, 0),
        (Mode.LIVE, Mode.LIVE, 1_500),
        # It is not known where it was collected: whoever refunds it is told by the gateway.
        (None, Mode.LIVE, 1_500),
    ],
)
def test_a_payment_goes_back_in_the_mode_in_which_it_was_collected(sessions, gateway, collected_in, now_in, to_card):
    public_id = subscribed(sessions, gateway)
    with sessions.begin() as session:
        session.execute(update(Payment).values(mode=collected_in))
    with sessions() as session:
        shown = cancelling.preview(session, SYSTEM, public_id, REFUND, mode=now_in, now=BEFORE_HALF)
    assert (shown.refunded_minor, shown.kept_minor) == (to_card, 1_500 - to_card)


def test_one_of_another_mode_becomes_credit(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    with sessions.begin() as session:
        session.execute(update(Payment).values(mode=Mode.LIVE))
    assert amounts(cancelled_as_shown(sessions, gateway, public_id, REFUND, BEFORE_HALF)) == (1_500, 0, 0, 0, 1_500)
    assert refunded(sessions) == []


def test_parts_that_are_not_left_any_more_are_taken_from_what_is(sessions, gateway, monkeypatch):
    """21 of 28 days are 22.50 and 4.28 of tax, in which the card's 2.66 are 2.23 and 0.43. What is left beside them is
    9.73 and 1.85, of which 8.92 are paid back in cash: 8.92 ÷ 1.19 is 7.50, and 1.42. That leaves 2.23 and 0.43.
    """
    public_id = subscribed(sessions, gateway, card=None, tax_rate=D(19))
    charge(sessions, gateway, 266)
    paid_in_cash(sessions, 3_304)
    cut_off(sessions, gateway, monkeypatch, public_id, at(2, 6))
    paid_back_in_cash(sessions, 1, 892, date(2026, 2, 6))
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 7)))
    assert refunded(sessions) == [(266, 266)]
    with sessions() as session:
        notes = session.execute(select(CreditNote.subtotal_minor, CreditNote.tax_minor).order_by(CreditNote.id))
        assert list(map(tuple, notes)) == [(2_027, 385), (750, 142), (223, 43)]
        assert session.scalars(select(PaymentCase)).all() == []


def test_what_goes_back_beyond_what_money_has_paid_is_a_case(sessions, gateway):
    """6.00 of the card, which were paid back in cash before; prepaid credit paid the other 30.00."""
    metered(sessions, gateway)
    with sessions() as session:
        invoice_id, payment_id = last_invoice(session), session.scalar(select(func.max(Payment.id)))
    paid_back_in_cash(sessions, invoice_id, 600, date(2026, 3, 1))
    with sessions.begin() as session:
        days = {"refunded_on": date(2026, 3, 2), "today": date(2026, 3, 2), "now": at(3, 2)}
        assert refund_recording.note_refunded(session, SYSTEM, payment_id, 600, reason="Refunded there", **days) == []
    with sessions() as session:
        (case,) = session.scalars(select(PaymentCase))
        assert (case.kind, case.amount_minor) == (CaseKind.REFUND_UNMATCHED, 600)
    assert everything_holds(sessions)
