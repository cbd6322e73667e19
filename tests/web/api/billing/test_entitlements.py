"""What a subscription entitles to: programs ask before they let somebody in."""

from decimal import Decimal

import pytest

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import Aggregation
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import AddOn, Terms
from billing_core.subscriptions.models import Subscription, SubscriptionState
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import a_subscription

D = Decimal


@pytest.fixture
def subscription(sessions, product) -> str:
    """Five seats and a support, 10,000 calls and 50 GB a period."""
    with sessions.begin() as session:
        meters.create(
            session, SYSTEM, code="storage", name="Storage", unit="GB", aggregation=Aggregation.MAX, now=utc_now()
        )
        agreed = Terms(
            "USD",
            D(30),
            10_000,
            D("0.001"),
            seat_price=D(5),
            included_seats=1,
            add_ons=(AddOn("support", "Support", {"USD": D(10)}),),
        )
        price = Price("USD", Scheme.PER_UNIT, (Tier(None, D("0.1")),), included=D(50))
        charged = {Metered("storage"): price}
        plans.create(session, SYSTEM, code="pro", name="Pro", agreed=agreed, charged=charged, now=utc_now())
        a_customer(session)
        made = a_subscription(session, now=utc_now(), seats=5, add_ons={"support": 1})
        return session.get_one(Subscription, made).public_id


def asked(client, subscription):
    return client.get(f"/v1/billing/subscriptions/{subscription}/entitlements")


def test_seats_add_ons_and_what_is_included(program, subscription):
    answer = asked(program("finance"), subscription)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "subscription_id": subscription,
            "active": True,
            "plan_id": "pro",
            "plan_version": 1,
            "seats": 5,
            "add_ons": {"support": 1},
            "included": [
                {"meter": "api_calls", "bucket": None, "quantity": 10000},
                {"meter": "storage", "bucket": None, "quantity": 50},
            ],
            "until": None,
        },
    )


@pytest.mark.parametrize(
    ("state", "entitled"),
    [
        (SubscriptionState.ACTIVE, True),
        (SubscriptionState.PAST_DUE, True),
        (SubscriptionState.UNPAID, False),
    ],
)
def test_it_is_active_until_charges_are_given_up(program, sessions, subscription, state, entitled):
    change(sessions, subscription, state=state)
    assert asked(program(), subscription).json()["active"] is entitled


def test_while_it_is_paused_it_entitles_to_nothing(program, sessions, subscription):
    change(sessions, subscription, paused_at=utc_now())
    assert asked(program(), subscription).json()["active"] is False


def test_one_that_ends_with_its_period_says_when(program, sessions, subscription):
    change(sessions, subscription, cancel_at_period_end=True)
    answer = asked(program(), subscription).json()
    ends = program().get(f"/v1/billing/subscriptions/{subscription}").json()["current_period_end"]
    assert (answer["active"], answer["until"]) == (True, ends)


def test_one_that_is_canceled_is_over(program, sessions, subscription):
    now = utc_now().replace(microsecond=0)
    change(sessions, subscription, state=SubscriptionState.CANCELED, canceled_at=now, next_at=None)
    answer = asked(program(), subscription).json()
    assert (answer["active"], answer["until"]) == (False, f"{now:%Y-%m-%dT%H:%M:%SZ}")


def test_what_is_not_there_is_404(program, subscription, sessions):
    assert asked(program(), "sub_nobody").status_code == 404
    with sessions.begin() as session:
        other = session.get_one(Customer, a_customer(session, "BETA")).id
    assert asked(program("manager", customer_id=other), subscription).status_code == 404


def change(sessions, public_id, **facts):
    with sessions.begin() as session:
        subscription = session.query(Subscription).filter_by(public_id=public_id).one()
        for name, value in facts.items():
            setattr(subscription, name, value)
