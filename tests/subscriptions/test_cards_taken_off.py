"""A card that was taken off file is none: nothing is charged to it, and nothing is refused for it."""

import pytest
from sqlalchemy import select

from billing_core.identity import SYSTEM
from billing_core.invoices.models import Invoice
from billing_core.online_payments.off_session import methods
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.plans.models import TrialEnd
from billing_core.settings import settings
from billing_core.subscriptions import clock, listing
from billing_core.subscriptions.lifecycle import ACTIVE, CANCELED
from billing_core.subscriptions.models import SubscriptionState
from billing_core.subscriptions.overview import forecast, search
from tests.invoices.company import a_customer
from tests.subscriptions.changed import changed as change
from tests.subscriptions.changed import charged, found, previewed, subscribed
from tests.subscriptions.signed_up import a_plan, at, billed


@pytest.fixture
def gateway(sessions, data_dir) -> SandboxGateway:
    return SandboxGateway(sessions, settings())


def taken_off(sessions, public_id: str) -> None:
    with sessions.begin() as session:
        methods.detach(session, SYSTEM, found(session, public_id).payment_method_id, now=at(2, 3))


@pytest.mark.parametrize(
    ("trial_end", "becomes", "is_paused", "invoiced"),
    [
        (TrialEnd.CANCEL, CANCELED, False, []),
        (TrialEnd.PAUSE, ACTIVE, True, []),
        (TrialEnd.INVOICE, ACTIVE, False, [3_000]),
    ],
)
def test_a_trial_ends_as_without_one(
    sessions, gateway, trial_end, becomes: SubscriptionState, is_paused, invoiced: list[int]
):
    with sessions.begin() as session:
        a_plan(session, "tried", trial_end=trial_end)
        a_customer(session)
    public_id = subscribed(sessions, gateway, "tried", trial_days=10)
    taken_off(sessions, public_id)
    with sessions() as session:
        coming = forecast.bills(session, SYSTEM, found(session, public_id).id, count=1)
        assert [bill.total_minor for bill in coming if bill.total_minor] == invoiced
    list(clock.run(sessions, SYSTEM, gateway, now=at(2, 10)))
    with sessions() as session:
        subscription = found(session, public_id)
        assert (subscription.state, subscription.paused_at is not None) == (becomes, is_paused)
        assert (list(session.scalars(select(Invoice.total_minor))), charged(session)) == (invoiced, [])


def test_in_a_trial_no_invoice_is_foretold_that_will_not_come(sessions, gateway):
    with sessions.begin() as session:
        a_plan(session, "tried", trial_end=TrialEnd.CANCEL)
        a_plan(session, "team", "60", trial_end=TrialEnd.CANCEL)
        a_customer(session)
    public_id = subscribed(sessions, gateway, "tried", trial_days=10)
    assert previewed(sessions, public_id, at(2, 2), plan_code="team").next_invoice.sums.total_minor == 6_000
    taken_off(sessions, public_id)
    assert previewed(sessions, public_id, at(2, 4), plan_code="team").next_invoice is None


def test_a_change_is_invoiced_to_be_paid_otherwise(sessions, gateway):
    """Half of 60.00, of which half of 30.00 is credited."""
    public_id = subscribed(sessions, gateway)
    taken_off(sessions, public_id)
    change(sessions, gateway, public_id, plan_code="team")
    with sessions() as session:
        assert [total for _, total in billed(session, found(session, public_id).id)] == [3_000, 3_000]
        (due,) = session.scalars(select(Invoice.due_minor).where(Invoice.due_minor > 0))
        assert (due, charged(session)) == (1_500, [3_000])


def test_it_is_shown_no_more(sessions, gateway):
    public_id = subscribed(sessions, gateway)
    with sessions() as session:
        assert listing.one(session, SYSTEM, public_id).payment_method is not None
    taken_off(sessions, public_id)
    with sessions() as session:
        row = listing.one(session, SYSTEM, public_id)
        assert (row.payment_method, search.one(session, SYSTEM, row.id).card_last4) == (None, None)
