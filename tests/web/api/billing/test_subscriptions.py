"""Subscriptions of the billing API v1: its document's example and tables, and what it is silent about."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from billing_core.customers.models import Customer
from billing_core.dates import add_months
from billing_core.subscriptions.models import Subscription
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import a_plan

SUBSCRIBE, ADDRESS = "/v1/billing/subscribe", "/v1/billing/subscriptions"
DOCUMENTED = {
    "id",
    "customer_id",
    "plan_id",
    "status",
    "trial_end",
    "current_period_start",
    "current_period_end",
    "created_at",
}


@pytest.fixture
def acme(sessions, product) -> str:
    with sessions.begin() as session:
        a_plan(session, "plan_pro_monthly")
        return session.get_one(Customer, a_customer(session)).public_id


@pytest.fixture
def client(program, acme):
    return program("admin")


def subscribed(client, acme, **facts):
    given = {"customer_id": acme, "plan_id": "plan_pro_monthly", "payment_method_id": "pm_1234567890"} | facts
    return client.post(SUBSCRIBE, json={name: value for name, value in given.items() if value is not None})


def test_the_documents_example(client, acme):
    """A trial of 14 days; the period shown is one interval from the creation on."""
    made = subscribed(client, acme, trial_days=14)
    assert made.status_code == 201
    answer = made.json()
    assert set(answer) >= DOCUMENTED
    assert answer["id"].startswith("sub_")
    assert (answer["customer_id"], answer["plan_id"], answer["status"]) == (acme, "plan_pro_monthly", "trialing")
    created = datetime.fromisoformat(answer["created_at"])
    assert answer["current_period_start"] == answer["created_at"]
    ends = datetime.fromisoformat(answer["current_period_end"])
    assert (ends.date(), ends.time()) == (add_months(created.date(), 1), created.time())
    assert datetime.fromisoformat(answer["trial_end"]) == created + timedelta(days=14)
    assert client.get(made.headers["Location"]).json() == answer


def test_without_a_trial_it_is_active_and_paid(client, acme):
    answer = subscribed(client, acme).json()
    assert (answer["status"], answer["trial_end"]) == ("active", None)
    (invoice,) = client.get("/v1/billing/invoice").json()["invoices"]
    assert (invoice["status"], invoice["total"], invoice["subscription_id"]) == ("paid", 3_000, answer["id"])


@pytest.mark.parametrize("card", ["pm_card_visa_chargeDeclined", "pm_card_chargeCustomerFail"])
def test_a_payment_method_that_fails_is_402_and_leaves_nothing(client, acme, sessions, card):
    refused = subscribed(client, acme, payment_method_id=card)
    assert refused.status_code == 402
    assert "declined" in refused.json()["detail"]
    assert client.get(ADDRESS).json() == {"subscriptions": [], "count": 0}
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Subscription)) == 0


@pytest.mark.parametrize("field", ["customer_id", "plan_id", "payment_method_id"])
def test_what_is_required_is_400_without_it(client, acme, field):
    refused = subscribed(client, acme, **{field: None})
    assert refused.status_code == 400
    assert field in refused.text


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"trial_days": -1}, "trial_days"),
        ({"trial_days": 366}, "trial_days"),
        ({"trial_days": "14"}, "trial_days"),
        ({"seats": 0}, "seats"),
        ({"seats": 2}, "seats"),
        ({"add_ons": {"support": 1}}, "add_ons"),
        ({"promo_code": "NOWHERE"}, "promo_code"),
        ({"payment_method_id": "4242424242424242"}, "payment_method"),
        ({"coupon": "X"}, "coupon"),
    ],
)
def test_bad_values_are_400_and_named(client, acme, facts, named):
    refused = subscribed(client, acme, **facts)
    assert refused.status_code == 400
    assert named in refused.text


@pytest.mark.parametrize("days", [0, 365])
def test_a_trial_has_up_to_365_days(client, acme, days):
    assert subscribed(client, acme, trial_days=days).status_code == 201


@pytest.mark.parametrize("facts", [{"customer_id": "cus_nobody"}, {"plan_id": "plan_none"}])
def test_who_and_what_is_not_there_is_404(client, acme, facts):
    assert subscribed(client, acme, **facts).status_code == 404


def test_the_same_request_again_makes_one_subscription(client, acme):
    given = {"customer_id": acme, "plan_id": "plan_pro_monthly", "payment_method_id": "pm_1"}
    first, again = (client.post(SUBSCRIBE, json=given, headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert first.json() == again.json()
    assert client.get(ADDRESS).json()["count"] == 1


def test_lists_are_the_newest_first_page_by_page(client, acme):
    made = [subscribed(client, acme, trial_days=1).json()["id"] for _ in range(3)]
    page = client.get(ADDRESS, params={"limit": 2})
    assert [one["id"] for one in page.json()["subscriptions"]] == [made[2], made[1]]
    rest = client.get(page.links["next"]["url"])
    assert [one["id"] for one in rest.json()["subscriptions"]] == [made[0]]
    assert "next" not in rest.links


def test_lists_by_customer_and_status(client, acme):
    subscribed(client, acme, trial_days=1)
    subscribed(client, acme)
    for status, count in (("trialing", 1), ("active", 1), ("canceled", 0)):
        assert client.get(ADDRESS, params={"status": status, "customer_id": acme}).json()["count"] == count
    assert client.get(ADDRESS, params={"customer_id": "cus_nobody"}).json()["count"] == 0
    assert client.get(ADDRESS, params={"status": "incomplete"}).status_code == 400


def test_an_invoice_can_be_for_a_subscription(client, acme):
    subscription_id = subscribed(client, acme, trial_days=1).json()["id"]
    line = {"description": "Set-up", "amount": 500}
    made = client.post(
        "/v1/billing/invoice",
        json={"customer_id": acme, "subscription_id": subscription_id, "line_items": [line]},
    )
    assert (made.status_code, made.json()["subscription_id"]) == (201, subscription_id)


def test_a_subscription_of_another_customer_is_404_for_an_invoice(client, acme, sessions):
    subscription_id = subscribed(client, acme, trial_days=1).json()["id"]
    with sessions.begin() as session:
        other = session.get_one(Customer, a_customer(session, "BETA")).public_id
    line = {"description": "Set-up", "amount": 500}
    given = {"customer_id": other, "subscription_id": subscription_id, "line_items": [line]}
    assert client.post("/v1/billing/invoice", json=given).status_code == 404


def test_only_admins_subscribe_and_everybody_reads(program, client, acme):
    made = subscribed(client, acme, trial_days=1).json()
    for role in ("finance", "manager"):
        assert subscribed(program(role), acme).status_code == 403
        assert program(role).get(f"{ADDRESS}/{made['id']}").json() == made
