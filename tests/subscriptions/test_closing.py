"""What a cancellation comes to is shown before, and then done: what goes back with its tax, and open invoices."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.models import ChargeAttempt, PaymentMethodOnFile
from billing_core.online_payments.off_session import attempts, methods
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.payments import received, write_offs
from billing_core.payments.models import PaymentMethod
from billing_core.payments.received import Received
from billing_core.plans.models import BillingTiming
from billing_core.settings import settings as product_settings
from billing_core.subscriptions import collecting
from billing_core.subscriptions.changes import cancelling, pausing
from billing_core.subscriptions.changes.cancelling import Outdated
from billing_core.subscriptions.changes.closing import Ending, OpenInvoices, Unused
from billing_core.subscriptions.lifecycle import CANCELED
from billing_core.subscriptions.models import SubscriptionInvoice
from tests.invoices.company import a_customer
from tests.subscriptions.changed import HALF, D, cancelled_as_shown, changed, found, plans, subscribed
from tests.subscriptions.signed_up import a_plan, a_subscription, at, renewed, state

# The day of a cancellation counts as used: half of the days are left after this one.
BEFORE_HALF = at(2, 13)
VOID = OpenInvoices.VOID


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, product_settings())


def shown(sessions, gateway, public_id, now=BEFORE_HALF, **how):
    with sessions() as session:
        return cancelling.preview(session, SYSTEM, public_id, Ending(**how), mode=gateway.mode, now=now)


def paid_in_cash(sessions, minor: int, invoice_id: int | None = 1) -> None:
    """None: it becomes the customer's credit."""
    with sessions.begin() as session:
        customer_id = session.scalars(select(func.max(Customer.id))).one()
        day = date(2026, 2, 1)
        money = Received("USD", minor, PaymentMethod.CASH, day)
        pays = {} if invoice_id is None else {invoice_id: minor}
        facts = {"customer_id": customer_id, "received": money, "allocations": pays}
        received.record(session, SYSTEM, **facts, today=day, now=at(2, 1))


def amounts(closing) -> tuple[int, ...]:
    return (
        closing.credited_minor,
        closing.tax_minor,
        closing.off_invoices_minor,
        closing.refunded_minor,
        closing.kept_minor,
    )


def test_what_was_paid_becomes_credit_with_its_tax(sessions, gateway):
    """Half of 30.00 and of its 5.70 of tax."""
    public_id = subscribed(sessions, gateway, tax_rate=D(19))
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(), BEFORE_HALF)
    assert amounts(closing) == (1_785, 285, 0, 0, 1_785)
    assert (closing.last_day, closing.invoices, closing.has_more) == (date(2026, 2, 13), (), False)
    assert [(line.description, line.amount_minor) for line in closing.lines] == [
        ("Not used: Feb 14 – 27, 2026", -1_500)
    ]


def test_what_a_card_paid_is_refunded(sessions, gateway):
    public_id = subscribed(sessions, gateway, tax_rate=D(19))
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(unused=Unused.REFUND), BEFORE_HALF)
    assert amounts(closing) == (1_785, 285, 0, 1_785, 0)


def test_nothing_goes_back_where_that_is_asked_for(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(unused=Unused.NOTHING), BEFORE_HALF)
    assert amounts(closing) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("paid", "how", "given_back", "left"),
    [
        # Nothing paid of 30.00: the unused half is not asked for, or all of it.
        (0, {}, (1_500, 0, 1_500, 0, 0), 1_500),
        (0, {"open_invoices": VOID}, (0, 0, 0, 0, 0), 0),
        (0, {"unused": Unused.NOTHING}, (0, 0, 0, 0, 0), 3_000),
        # 10.00 paid: the unused half lowers the 20.00 that are due, whatever becomes of the rest.
        (1_000, {}, (1_500, 0, 1_500, 0, 0), 500),
        (1_000, {"open_invoices": VOID}, (1_500, 0, 1_500, 0, 0), 0),
        # 20.00 paid: 5.00 of the half that is not used were paid. No card was charged that could get them back.
        (2_000, {"unused": Unused.REFUND}, (1_500, 0, 1_000, 0, 500), 0),
    ],
)
def test_what_is_due_is_lowered_first(sessions, gateway, paid, how, given_back, left):
    public_id = subscribed(sessions, gateway, card=None)
    if paid:
        paid_in_cash(sessions, paid)
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(**how), BEFORE_HALF)
    assert amounts(closing) == given_back
    assert [(one.due_minor, one.left_minor) for one in closing.invoices] == [(3_000 - paid, left)]


def test_of_what_was_written_off_no_more_goes_back_than_was_paid(sessions, gateway):
    """9.99 of 35.70 were paid, less than the 17.85 of the half that is not used: with its share of tax, 1.60 of it, of
    which 19 % of the other 8.39 alone would be 1.59.
    """
    public_id = subscribed(sessions, gateway, card=None, tax_rate=D(19))
    paid_in_cash(sessions, 999)
    with sessions.begin() as session:
        write_offs.write_off(session, SYSTEM, 1, reason="Gone", today=date(2026, 2, 2), now=at(2, 2))
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(), BEFORE_HALF)
    assert amounts(closing) == (999, 160, 0, 0, 999)


def test_at_the_end_of_the_period_it_lasts_to_its_last_day(sessions, gateway):
    public_id = subscribed(sessions, gateway, card=None)
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(at_period_end=True), BEFORE_HALF)
    assert (closing.last_day, closing.lines) == (date(2026, 2, 27), ())
    assert [one.left_minor for one in closing.invoices] == [3_000]


def test_a_trial_costs_nothing(sessions, gateway):
    """From 31 January, 10:00 it lasts 30 days."""
    public_id = subscribed(sessions, gateway, trial_days=30)
    assert shown(sessions, gateway, public_id, at_period_end=True).last_day == date(2026, 3, 2)
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(), BEFORE_HALF)
    assert (amounts(closing), closing.last_day) == ((0, 0, 0, 0, 0), date(2026, 2, 13))


def test_it_tells_of_scheduled_changes_and_of_what_is_billed_afterwards(sessions, gateway):
    with sessions.begin() as session:
        plans(session)
        a_plan(session, "later", timing=BillingTiming.ARREARS)
    change_id = changed(sessions, gateway, later := subscribed(sessions, gateway, "team"), at(2, 1), plan_code="pro")
    assert shown(sessions, gateway, later).scheduled == (change_id,)
    closing = shown(sessions, gateway, subscribed(sessions, gateway, "later"))
    assert (closing.has_more, amounts(closing)) == (True, (0, 0, 0, 0, 0))


def test_it_tells_of_days_that_wait_for_a_decision_and_are_not_billed_any_more(sessions, gateway):
    """Billed up to 27 February, it stood still until 13 June."""
    with sessions.begin() as session:
        a_plan(session)
        subscription_id = a_subscription(session)
        public_id = state(session, subscription_id).public_id
    assert shown(sessions, gateway, public_id).unbilled_from is None
    renewed(sessions, subscription_id, at(6, 13))
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(), at(6, 13))
    assert (closing.unbilled_from, closing.last_day) == (date(2026, 2, 28), date(2026, 6, 13))
    assert renewed(sessions, subscription_id, at(6, 30)) == []
    with sessions() as session:
        assert session.scalars(select(Invoice.issued_on)).all() == [date(2026, 1, 31)]


def test_what_has_changed_since_it_was_shown_is_refused_with_what_it_comes_to_now(sessions, gateway):
    public_id = subscribed(sessions, gateway, card=None)
    before = shown(sessions, gateway, public_id)
    paid_in_cash(sessions, 2_000)
    with pytest.raises(Outdated) as refused:
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, Ending(), token=before.token, now=BEFORE_HALF)
    assert amounts(refused.value.closing) == (1_500, 0, 1_000, 0, 500)
    token = refused.value.closing.token
    with pytest.raises(Outdated):
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, Ending(), token=token, now=BEFORE_HALF + timedelta(1))
    nothing = Ending(unused=Unused.NOTHING)
    with pytest.raises(Outdated):
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, nothing, token=token, now=BEFORE_HALF)
    with sessions() as session:
        assert session.scalars(select(CreditNote)).all() == []


@pytest.mark.parametrize("at_period_end", [False, True])
def test_what_was_shown_is_done_once_however_often_it_is_asked_for(sessions, gateway, at_period_end):
    public_id = subscribed(sessions, gateway)
    ending = Ending(at_period_end=at_period_end, reason="Too dear")
    token = shown(sessions, gateway, public_id, at_period_end=at_period_end).token
    for _ in range(2):
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, ending, token=token, now=BEFORE_HALF)
    with sessions() as session:
        assert len(session.scalars(select(CreditNote)).all()) == (0 if at_period_end else 1)
        assert found(session, public_id).cancel_reason == "Too dear"


def test_what_was_withdrawn_is_shown_again(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    token = shown(sessions, gateway, public_id, at_period_end=True).token
    ending = Ending(at_period_end=True)
    cancelling.cancel(sessions, SYSTEM, gateway, public_id, ending, token=token, now=BEFORE_HALF)
    with sessions.begin() as session:
        pausing.resume(session, SYSTEM, public_id, now=BEFORE_HALF)
    with pytest.raises(Outdated):
        cancelling.cancel(sessions, SYSTEM, gateway, public_id, ending, token=token, now=BEFORE_HALF)


def charging(sessions, gateway, mode: Mode) -> int:
    """A card of ``mode`` is being charged for the first invoice; the attempt."""
    with sessions() as session:
        customer_id = session.scalars(select(Customer.id)).one()
    method_id = methods.attach(sessions, SYSTEM, gateway, customer_id, "pm_card_visa", now=at(2, 1))
    with sessions.begin() as session:
        session.get_one(PaymentMethodOnFile, method_id).mode = mode
        (billed,) = session.scalars(select(SubscriptionInvoice))
        billed.attempt_id = attempts.begin(session, SYSTEM, billed.invoice_id, method_id, now=at(2, 1))
        return billed.attempt_id


def test_what_is_being_charged_is_waited_for(sessions, gateway):
    public_id = subscribed(sessions, gateway, card=None)
    charging(sessions, gateway, Mode.SANDBOX)
    with pytest.raises(Conflict, match="being charged"):
        shown(sessions, gateway, public_id)


def test_a_charge_that_is_not_answered_in_this_mode_is_not_waited_for(sessions, gateway):
    """A card for real money, where the product collects none now: what comes of it is kept for later."""
    public_id = subscribed(sessions, gateway, card=None)
    attempt_id = charging(sessions, gateway, Mode.LIVE)
    closing = cancelled_as_shown(sessions, gateway, public_id, Ending(), BEFORE_HALF)
    assert amounts(closing) == (1_500, 0, 1_500, 0, 0)
    with sessions() as session:
        assert found(session, public_id).state is CANCELED
        assert session.get_one(ChargeAttempt, attempt_id).finished_at is None


def test_what_cannot_be_completed_keeps_none_of_the_others_waiting(sessions):
    pages = {0: {2: 7, 5: 8}, 5: {9: 1}, 9: {}}

    def read(_session, *, before, after):
        assert before == HALF
        return pages[after]

    assert list(collecting.each_cut_off(sessions, read, before=HALF)) == [(2, 7), (5, 8), (9, 1)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(("pro", "seats", "year")),
    st.sampled_from((None, "pm_card_visa")),
    st.sampled_from((D(0), D("7.7"), D(19))),
    st.integers(0, 27),
    st.integers(0, 27),
    st.sampled_from((0, 1, 999, 3_570)),
    st.sampled_from(Unused),
    st.sampled_from(OpenInvoices),
)
def test_what_is_shown_is_booked_and_never_more_than_was_charged(
    sessions, data_dir, plan, card, tax_rate, change_after, ends_after, paid, unused, open_invoices
):
    gateway = SandboxGateway(sessions, product_settings())
    with sessions.begin() as session:
        if session.scalar(select(Customer.id)) is None:
            plans(session)
        # Somebody without the credit of other examples, which may leave less to charge than Stripe takes.
        a_customer(session, str(uuid4()))
    public_id = subscribed(sessions, gateway, plan, card=card, tax_rate=tax_rate)
    with sessions() as session:
        of_it = select(SubscriptionInvoice.invoice_id).where(
            SubscriptionInvoice.subscription_id == found(session, public_id).id
        )
        invoice = session.get_one(Invoice, session.scalars(of_it).one())
    if minor := min(paid, invoice.due_minor):
        paid_in_cash(sessions, minor, invoice.id)
    if change_after:
        day = at(1, 31, 12) + timedelta(change_after)
        changed(sessions, gateway, public_id, day, plan_code="team" if plan != "team" else "pro")
    now = at(1, 31, 13) + timedelta(max(change_after, ends_after))
    cancelled_as_shown(sessions, gateway, public_id, Ending(unused=unused, open_invoices=open_invoices), now)
    with sessions() as session:
        credited = select(CreditNote.invoice_id, func.sum(CreditNote.total_minor)).group_by(CreditNote.invoice_id)
        for invoice_id, minor in session.execute(credited):
            assert minor <= session.get_one(Invoice, invoice_id).total_minor
