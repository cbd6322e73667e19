"""What goes back to cards when credit, or more than one charge, paid an invoice: each as much as it paid."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.online_payments import refunding
from billing_core.online_payments.gateway import Declined
from billing_core.online_payments.models import CaseKind, PaymentCase, RefundRequest
from billing_core.online_payments.off_session import attempts, methods
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.webhooks import refund_recording
from billing_core.payments import refunds
from billing_core.payments.models import Payment, PaymentMethod, Refund
from billing_core.payments.prepaid import granting
from billing_core.payments.prepaid import verification as prepaid
from billing_core.payments.refunds import MoneyBack
from billing_core.settings import settings as product_settings
from billing_core.subscriptions import clock, verification
from billing_core.subscriptions.changes import cancelling, unused
from billing_core.subscriptions.changes.closing import Ending, Unused
from billing_core.subscriptions.changes.unused import Credit
from billing_core.subscriptions.models import ChargeKind, SubscriptionInvoice
from tests.invoices.company import a_customer
from tests.subscriptions.changed import (
    D,
    balance,
    cancelled_as_shown,
    changed,
    charged,
    found,
    plans,
    subscribed,
)
from tests.subscriptions.signed_up import BEGUN, YEAR, a_plan, at
from tests.subscriptions.test_closing import amounts, paid_in_cash
from tests.subscriptions.test_metered import called

REFUND = Ending(unused=Unused.REFUND)
# The day of a cancellation counts as used: half of the days are left after this one.
BEFORE_HALF = at(2, 13)


class Killed(BaseException):
    pass


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, product_settings())


def on_a_year(sessions, gateway, **facts) -> str:
    """8.00 by card, and 240.00 for a year on the same day, of which the 8.00 pay some."""
    with sessions.begin() as session:
        a_plan(session, "basic", "8")
        a_plan(session, "yearly", "240", interval=YEAR)
        a_customer(session)
    public_id = subscribed(sessions, gateway, "basic", **facts)
    changed(sessions, gateway, public_id, BEGUN, plan_code="yearly")
    return public_id


def charge(sessions, gateway, *parts: int, invoice_id: int = 1) -> None:
    """What is due on the invoice, or less, in as many charges of a card."""
    with sessions() as session:
        customer_id = session.scalars(select(Customer.id)).one()
    card_id = methods.attach(sessions, SYSTEM, gateway, customer_id, "pm_card_visa", now=BEGUN)
    for minor in parts:
        with sessions.begin() as session:
            due = session.get_one(Invoice, invoice_id).due_minor
            if not due:
                return
            part = min(minor, due)
            attempt_id = attempts.begin(session, SYSTEM, invoice_id, card_id, amount_minor=part, now=BEGUN)
        outcome = attempts.charge(sessions, gateway, attempt_id)
        with sessions.begin() as session:
            attempts.record(session, SYSTEM, attempt_id, outcome, now=BEGUN)


def metered(sessions, gateway) -> str:
    """30.00 with two calls of 3.00, from 28 February on: prepaid credit pays 30.00 of it, and the card 6.00."""
    with sessions.begin() as session:
        a_plan(session, "calls", price_per_call="3")
        customer_id = a_customer(session)
    public_id = subscribed(sessions, gateway, "calls")
    with sessions.begin() as session:
        given_on = {"expires_on": None, "today": date(2026, 2, 1), "now": at(2, 1)}
        granting.give(session, SYSTEM, customer_id, amount_minor=3_000, reason="Welcome", **given_on)
        subscription_id = found(session, public_id).id
    called(sessions, subscription_id, at(2, 10), at(2, 11))
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 28)))
    with sessions() as session:
        assert charged(session) == [3_000, 600]
    return public_id


def last_invoice(session) -> int:
    return session.scalar(select(func.max(SubscriptionInvoice.invoice_id)))


def refunded(sessions) -> list[tuple[int, int]]:
    """What each payment was and what went back of it, the oldest first."""
    with sessions() as session:
        rows = select(Payment.amount_minor, Refund.amount_minor).join(Refund, Refund.payment_id == Payment.id)
        return [tuple(row) for row in session.execute(rows.order_by(Payment.id))]


def everything_holds(sessions) -> bool:
    with sessions() as session:
        checks = [*verification.checks(session), *prepaid.checks(session)]
        return [check.wrong for check in checks if check.wrong] == []


def test_the_card_gets_what_it_paid_and_the_rest_becomes_credit(sessions, gateway):
    """239.34 of 240.00 for 364 of 365 days; the card paid 232.00."""
    closing = cancelled_as_shown(sessions, gateway, on_a_year(sessions, gateway), REFUND, BEGUN)
    assert amounts(closing) == (23_934, 0, 0, 23_200, 734)
    assert refunded(sessions) == [(23_200, 23_200)]
    assert everything_holds(sessions)


def test_each_part_has_its_share_of_the_tax(sessions, gateway):
    """19 % on 239.34 is 45.47. The card paid 285.60 less 9.52: in 276.08 of 284.81 are 232.00 net, and the other 8.73
    are 7.34 with 1.39 of tax.
    """
    closing = cancelled_as_shown(sessions, gateway, on_a_year(sessions, gateway, tax_rate=D(19)), REFUND, BEGUN)
    assert amounts(closing) == (28_481, 4_547, 0, 27_608, 873)
    with sessions() as session:
        notes = select(CreditNote.subtotal_minor, CreditNote.tax_minor).order_by(CreditNote.id.desc()).limit(2)
        assert sorted(map(tuple, session.execute(notes))) == [(734, 139), (23_200, 4_408)]
    assert everything_holds(sessions)


def test_what_the_card_gets_back_is_booked_with_the_tax_that_was_shown_in_it(sessions, gateway):
    """21 of 28 days are 22.50 and 4.28 of tax; the card paid 2.66. Of those 26.78 it is 2.23 and 0.43, though of what
    is left of the invoice after the rest, 9.73 and 1.85, it would be 2.24.
    """
    public_id = subscribed(sessions, gateway, card=None, tax_rate=D(19))
    charge(sessions, gateway, 266)
    paid_in_cash(sessions, 3_304)
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, at(2, 6))
    assert amounts(closing) == (2_678, 428, 0, 266, 2_412)
    with sessions() as session:
        notes = session.execute(select(CreditNote.subtotal_minor, CreditNote.tax_minor))
        assert sorted(map(tuple, notes)) == [(223, 43), (2_027, 385)]
    assert everything_holds(sessions)


def test_a_last_cent_that_is_all_tax_becomes_credit(sessions, gateway):
    """28.93 and as much tax; the card paid all but a cent of that."""
    public_id = subscribed(sessions, gateway, card=None, tax_rate=D(100))
    charge(sessions, gateway, 5_785)
    paid_in_cash(sessions, 215)
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, BEGUN)
    assert amounts(closing) == (5_786, 2_893, 0, 5_785, 1)
    assert everything_holds(sessions)


def test_a_payment_of_which_a_refund_is_not_answered_is_left_alone(sessions, gateway, monkeypatch):
    def away(*_given, **_facts):
        raise UpstreamFailed("no answer")

    public_id = subscribed(sessions, gateway)
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "refund", away)
        with pytest.raises(UpstreamFailed):
            refunding.refund(sessions, SYSTEM, gateway, 1, amount_minor=500, reason="Goodwill", now=at(2, 1))
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, BEFORE_HALF)
    assert amounts(closing) == (1_500, 0, 0, 0, 1_500)


def test_of_several_charges_the_last_goes_back_first(sessions, gateway):
    """28.93 of 30.00 are not used, which a card paid in two parts."""
    public_id = subscribed(sessions, gateway, card=None)
    charge(sessions, gateway, 1_000, 2_000)
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, BEGUN)
    assert amounts(closing) == (2_893, 0, 0, 2_893, 0)
    assert refunded(sessions) == [(1_000, 893), (2_000, 2_000)]


def test_what_went_back_before_does_not_go_back_twice(sessions, gateway):
    """5.00 of the 15.00 that the card paid were refunded; cash paid the other 15.00."""
    public_id = subscribed(sessions, gateway, card=None)
    charge(sessions, gateway, 1_500)
    paid_in_cash(sessions, 1_500)
    with sessions() as session:
        payment_id = session.scalars(select(Payment.id).where(Payment.gateway_key.is_not(None))).one()
    refunding.refund(sessions, SYSTEM, gateway, payment_id, amount_minor=500, reason="Goodwill", now=at(2, 1))
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, at(2, 1))
    # 26 of 28 days are 27.86, of which 25.00 were paid and are not given back.
    assert amounts(closing) == (2_500, 0, 0, 1_000, 1_500)


def test_of_an_invoice_that_is_paid_in_part_what_is_due_is_lowered_first(sessions, gateway):
    """15.00 of 30.00 are not used, and 10.00 are due."""
    public_id = subscribed(sessions, gateway, card=None)
    charge(sessions, gateway, 2_000)
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, BEFORE_HALF)
    assert amounts(closing) == (1_500, 0, 1_000, 500, 0)
    assert refunded(sessions) == [(2_000, 500)]


def test_what_prepaid_credit_paid_goes_back_to_it_only_where_the_card_did_not_pay_as_much(sessions, gateway):
    public_id = metered(sessions, gateway)
    # 15 of 31 days are left: 14.52.
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, at(3, 15))
    assert amounts(closing) == (1_452, 0, 0, 600, 0)
    assert closing.prepaid_minor == 852
    assert everything_holds(sessions)


def test_what_prepaid_credit_paid_never_goes_to_the_card(sessions, gateway):
    """The 6.00 that the card paid were paid back in cash: what is left of the invoice is prepaid credit's."""
    public_id = metered(sessions, gateway)
    with sessions.begin() as session:
        invoice_id = session.scalars(
            select(SubscriptionInvoice.invoice_id).order_by(SubscriptionInvoice.id.desc())
        ).first()
        in_cash = MoneyBack("Goodwill", PaymentMethod.CASH, date(2026, 3, 1), 600)
        refunds.refund(session, SYSTEM, invoice_id, wanted=in_cash, today=date(2026, 3, 1), now=at(3, 1))
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, at(3, 15))
    assert (amounts(closing), closing.prepaid_minor) == ((1_452, 0, 0, 0, 0), 1_452)
    assert everything_holds(sessions)


def test_a_part_that_is_refused_becomes_credit_and_the_other_goes_back(sessions, gateway, monkeypatch):
    made = SandboxGateway.refund

    def refuse_first(gateway, intent_id, amount_minor, currency, **facts):
        if amount_minor == 1_443:
            raise Declined("The account is closed")
        return made(gateway, intent_id, amount_minor, currency, **facts)

    # 34.43 of 35.70, 5.50 of tax in it.
    public_id = subscribed(sessions, gateway, card=None, tax_rate=D(19))
    charge(sessions, gateway, 1_570, 2_000)
    monkeypatch.setattr(SandboxGateway, "refund", refuse_first)
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, REFUND, now=BEGUN)
    assert refunded(sessions) == [(2_000, 2_000)]
    with sessions() as session:
        assert balance(session) == 1_443
        notes = session.execute(select(CreditNote.total_minor, CreditNote.tax_minor)).all()
        assert (sum(total for total, _ in notes), sum(tax for _, tax in notes)) == (3_443, 550)
    assert everything_holds(sessions)


def test_whoever_is_killed_between_two_refunds_makes_the_other_once(sessions, gateway, monkeypatch):
    made, calls = SandboxGateway.refund, []

    def die_at_second(gateway, *given, **facts):
        calls.append(given)
        if len(calls) == 2:
            raise Killed
        return made(gateway, *given, **facts)

    public_id = subscribed(sessions, gateway, card=None)
    charge(sessions, gateway, 1_000, 2_000)
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "refund", die_at_second)
        with pytest.raises(Killed):
            cancelling.cancel(sessions, SYSTEM, gateway, public_id, REFUND, now=BEGUN)
    assert everything_holds(sessions)
    for hour in (11, 12):
        list(clock.run(sessions, SYSTEM, gateway, now=at(1, 31, hour)))
    assert refunded(sessions) == [(1_000, 893), (2_000, 2_000)]
    assert everything_holds(sessions)


def test_what_was_paid_back_otherwise_meanwhile_is_a_case(sessions, gateway, monkeypatch):
    """15.00 of 30.00 are to go back to the card, and 20.00 were paid in cash before they do."""

    def die(*_given, **_facts):
        raise Killed

    public_id = subscribed(sessions, gateway)
    with monkeypatch.context() as patched:
        patched.setattr(SandboxGateway, "refund", die)
        with pytest.raises(Killed):
            cancelling.cancel(sessions, SYSTEM, gateway, public_id, REFUND, now=BEFORE_HALF)
    with sessions.begin() as session:
        in_cash = MoneyBack("Goodwill", PaymentMethod.CASH, date(2026, 2, 13), 2_000)
        refunds.refund(session, SYSTEM, 1, wanted=in_cash, today=date(2026, 2, 13), now=BEFORE_HALF)
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 14)))
    assert refunded(sessions) == [(3_000, 1_000)]
    with sessions() as session:
        (case,) = session.scalars(select(PaymentCase))
        assert (case.kind, case.amount_minor) == (CaseKind.REFUND_UNMATCHED, 500)
    assert everything_holds(sessions)


def test_what_the_gateway_tells_before_it_answers_credits_the_same_parts(sessions, gateway, monkeypatch):
    def die(*_given, **_facts):
        raise Killed

    public_id = on_a_year(sessions, gateway, tax_rate=D(19))
    monkeypatch.setattr(SandboxGateway, "refund", die)
    with pytest.raises(Killed):
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, REFUND, now=BEGUN)
    with sessions.begin() as session:
        (request,) = session.scalars(select(RefundRequest))
        days = {"refunded_on": date(2026, 1, 31), "today": date(2026, 1, 31), "now": BEGUN}
        refund_recording.note_refunded(session, SYSTEM, request.payment_id, 27_608, reason="", **days)
        last = session.scalars(select(CreditNote).order_by(CreditNote.id.desc()).limit(1)).one()
        assert (last.subtotal_minor, last.tax_minor) == (23_200, 4_408)
    assert everything_holds(sessions)


amounts_given = st.tuples(st.integers(1, 10**9), st.integers(0, 10**8)).map(lambda both: (max(both), min(both)))


@given(st.lists(amounts_given, max_size=4), st.integers(0, 10**9))
def test_parts_add_up(nets, minor):
    """``nets``: each with its tax, which is no more than it."""
    days = Period(date(2026, 2, 14), date(2026, 2, 27))
    given_back = [Credit(number, 1, ChargeKind.PLAN, "pro", days, *net) for number, net in enumerate(nets)]
    both = unused.divide(given_back, minor)
    sums = [sum(one.gross_minor for one in part) for part in both]
    assert sums == [min(minor, total := sum(map(sum, nets))), max(total - minor, 0)]
    for place, (net, tax) in enumerate(nets):
        parts = [one for part in both for one in part if one.charge_id == place]
        assert sum(one.net_minor for one in parts) == net
        assert sum(one.tax_minor for one in parts) == tax
        # Less than one minor unit off the exact share of the tax.
        assert all(one.net_minor >= 0 <= one.tax_minor for one in parts)
        assert all(abs(one.tax_minor * (net + tax) - one.gross_minor * tax) < net + tax for one in parts)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 4_000),
    st.sampled_from((D(0), D("7.7"), D(19), D(100))),
    st.lists(st.integers(1, 1_500), max_size=2),
    st.integers(0, 1_500),
    st.integers(0, 27),
    st.integers(0, 27),
)
def test_what_is_shown_is_booked_whoever_paid(
    sessions, data_dir, credit, tax_rate, cards, cash, change_after, end_after
):
    """Credit pays first, then a card in parts, and cash; a change to another plan credits some of it before."""
    gateway = SandboxGateway(sessions, product_settings())
    with sessions.begin() as session:
        if session.scalar(select(Customer.id)) is None:
            plans(session)
    if credit:
        paid_in_cash(sessions, credit, None)
    public_id = subscribed(sessions, gateway, card=None, tax_rate=tax_rate)
    with sessions() as session:
        before = sum(charged(session))
        invoice_id = last_invoice(session)
    charge(sessions, gateway, *cards, invoice_id=invoice_id)
    with sessions() as session:
        due = session.get_one(Invoice, invoice_id).due_minor
    if min(cash, due):
        paid_in_cash(sessions, min(cash, due), invoice_id)
    if change_after:
        changed(sessions, gateway, public_id, BEGUN + timedelta(change_after), plan_code="team")
    now = BEGUN + timedelta(max(change_after, end_after, 1))
    closing = cancelled_as_shown(sessions, gateway, public_id, REFUND, now)
    with sessions() as session:
        assert closing.refunded_minor <= sum(charged(session)) - before
    assert everything_holds(sessions)
