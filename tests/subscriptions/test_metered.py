"""Usage of customers whose plan has a price for it: 1 cent a call, with 30.00 a month for *pro*."""

from datetime import date, datetime

import pytest
from sqlalchemy import select

from billing_core.businesses.queries import default_business
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.metering import ingestion
from billing_core.metering.models import LateItem, UsagePeriod
from billing_core.plans import service as plans
from billing_core.plans.models import TrialEnd
from billing_core.subscriptions.models import SubscriptionInvoice
from billing_core.usage import billing
from billing_core.usage.charges import charges_of
from tests.subscriptions.signed_up import a_plan, a_subscription, at, billed, lines, renewed, state

MID_JANUARY = at(1, 15)
JANUARY = Period(date(2026, 1, 1), date(2026, 1, 31))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))


def metered(sessions, *, now=MID_JANUARY, **facts) -> int:
    with sessions.begin() as session:
        a_plan(session, price_per_call="0.01", trial_end=facts.pop("trial_end", TrialEnd.INVOICE))
        return a_subscription(session, now=now, **facts)


def called(sessions, subscription_id: int, *moments: datetime, told: datetime | None = None) -> None:
    """A call at each of the instants, told when the last one was made, or later."""
    with sessions.begin() as session:
        uuid = session.get_one(Customer, state(session, subscription_id).customer_id).uuid
        events = [{"id": f"{moment}", "organization_id": uuid, "time": moment.isoformat()} for moment in moments]
        recorded = ingestion.record(session, SYSTEM, events, now=told or max(moments), atomic=True)
        assert recorded.accepted == len(moments)


def test_the_usage_of_a_period_is_on_the_invoice_of_the_next(sessions):
    subscription_id = metered(sessions)
    called(sessions, subscription_id, at(1, 15, 12), at(2, 14, 23), at(2, 15, 1))
    renewed(sessions, subscription_id, at(2, 15))
    renewed(sessions, subscription_id, at(3, 15))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_002, 3_001]
        words, _ = lines(session, subscription_id, 1)[1]
        assert words == "API calls, Jan 15 – Feb 14, 2026: used 2, 2 × 0.01 USD"


def test_usage_in_a_trial_is_shown_and_never_billed(sessions):
    """Ten days from 15 January: a call of the 20th costs nothing, one of the 25th is billed with the first period."""
    subscription_id = metered(sessions, trial_days=10)
    called(sessions, subscription_id, at(1, 20), at(1, 25, 12))
    with sessions() as session:
        customer_id = state(session, subscription_id).customer_id
        (charge,) = charges_of(session, [customer_id], Period(date(2026, 1, 15), date(2026, 1, 24)))[customer_id]
        assert (charge.quantity, charge.amount.minor) == (1, 0)
    renewed(sessions, subscription_id, at(1, 25))
    renewed(sessions, subscription_id, at(2, 25))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_001]
        closed = session.scalars(select(UsagePeriod).order_by(UsagePeriod.first_day)).all()
        assert [(one.first_day, one.last_day) for one in closed] == [
            (date(2026, 1, 15), date(2026, 1, 24)),
            (date(2026, 1, 25), date(2026, 2, 24)),
        ]
        assert closed[0].invoice_id is None


def test_the_day_on_which_a_trial_ends_is_the_first_paid_one_from_its_morning_on(sessions):
    """Ten days from 15 January at 10:00: usage is billed by whole days, and the 25th is none of the trial's."""
    subscription_id = metered(sessions, trial_days=10)
    called(sessions, subscription_id, at(1, 24, 23), at(1, 25, 8))
    renewed(sessions, subscription_id, at(1, 25))
    renewed(sessions, subscription_id, at(2, 25))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_001]


def test_what_comes_late_for_a_trial_costs_nothing_either(sessions):
    subscription_id = metered(sessions, trial_days=10)
    renewed(sessions, subscription_id, at(1, 25))
    called(sessions, subscription_id, at(1, 20), told=at(1, 26))
    with sessions() as session:
        assert len(session.scalars(select(LateItem)).all()) == 1
    renewed(sessions, subscription_id, at(2, 25))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_000]


def test_what_comes_late_for_a_paid_period_is_on_the_next_invoice(sessions):
    subscription_id = metered(sessions)
    renewed(sessions, subscription_id, at(2, 15))
    called(sessions, subscription_id, at(2, 1), told=at(2, 16))
    renewed(sessions, subscription_id, at(3, 15))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_000, 3_001]


def test_late_usage_with_a_document_of_its_own_leaves_the_subscriptions_invoice_alone(sessions):
    subscription_id = metered(sessions)
    renewed(sessions, subscription_id, at(2, 15))
    with sessions.begin() as session:
        default_business(session).late_usage = "own_document"
    called(sessions, subscription_id, at(2, 1), told=at(2, 16))
    renewed(sessions, subscription_id, at(3, 15))
    with sessions() as session:
        assert [total for _, total in billed(session, subscription_id)] == [3_000, 3_000, 3_000]
        of_subscription = select(SubscriptionInvoice.invoice_id).where(SubscriptionInvoice.invoice_id.is_not(None))
        (own,) = session.scalars(select(Invoice).where(Invoice.id.not_in(of_subscription)))
        assert (own.total_minor, own.state) == (1, InvoiceState.OPEN)


def test_a_trial_that_is_not_paid_for_ends_the_plan_too(sessions):
    subscription_id = metered(sessions, trial_days=10, trial_end=TrialEnd.CANCEL)
    renewed(sessions, subscription_id, at(1, 25))
    called(sessions, subscription_id, at(1, 26))
    with sessions() as session:
        customer_id = state(session, subscription_id).customer_id
        (charge,) = charges_of(session, [customer_id], Period(date(2026, 1, 25), date(2026, 1, 31)))[customer_id]
        assert charge.segment.version is None


def test_only_the_subscription_bills_the_usage(sessions):
    subscription_id = metered(sessions, now=at(1, 1))
    called(sessions, subscription_id, at(1, 5), at(2, 5))
    renewed(sessions, subscription_id, at(2, 1))
    with sessions() as session:
        customer_id = state(session, subscription_id).customer_id
        assert billing.customers_to_bill(session, SYSTEM, FEBRUARY) == []
        (seen,) = billing.rehearse(session, SYSTEM, [customer_id], FEBRUARY, now=at(3, 2))
        assert "is billed with the subscription sub_" in seen.refusal


def test_who_was_on_a_plan_before_is_named_with_the_days_that_the_subscription_bills(sessions):
    """From 15 January on it is billed with the subscription; the days before can be billed for themselves."""
    with sessions.begin() as session:
        a_plan(session, "old", price_per_call="0.02")
        a_plan(session, price_per_call="0.01")
        subscription_id = a_subscription(session, now=at(1, 15))
        customer_id = state(session, subscription_id).customer_id
    with sessions() as session:
        assert billing.customers_to_bill(session, SYSTEM, JANUARY) == [customer_id]
        (seen,) = billing.rehearse(session, SYSTEM, [customer_id], JANUARY, now=at(2, 2))
        assert seen.refusal.startswith("From 2026-01-15 on its usage is billed with the subscription sub_")
        before = Period(date(2026, 1, 1), date(2026, 1, 14))
        (seen,) = billing.rehearse(session, SYSTEM, [customer_id], before, now=at(2, 2))
        assert seen.refusal == ""


@pytest.mark.parametrize("day", [date(2026, 1, 15), date(2026, 3, 1)])
def test_people_do_not_move_the_customer_to_another_plan_or_off_it(sessions, day):
    subscription_id = metered(sessions)
    with sessions.begin() as session:
        a_plan(session, "other")
        customer_id = state(session, subscription_id).customer_id
        for change in (
            lambda: plans.put_on(session, SYSTEM, customer_id, "other", valid_from=day, now=at(1, 16)),
            lambda: plans.take_off(session, SYSTEM, customer_id, valid_from=day, now=at(1, 16)),
        ):
            with pytest.raises(Conflict, match="is billed with the subscription sub_"):
                change()


def test_a_second_subscription_cannot_bill_it_too(sessions):
    metered(sessions)
    with sessions.begin() as session:
        a_plan(session, "basic", price_per_call="0.02")
        with pytest.raises(Conflict, match="is billed with the subscription sub_"):
            a_subscription(session, "basic", now=at(1, 20))
