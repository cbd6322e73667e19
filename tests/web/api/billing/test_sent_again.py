"""What signs up, changes, cancels or charges is sent again where no answer came, and is done once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import UpstreamFailed
from billing_core.identity import SYSTEM
from billing_core.online_payments.models import SandboxCharge
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.settings import settings
from billing_core.subscriptions import clock
from billing_core.subscriptions.models import Subscription, SubscriptionChange
from billing_core.web.api.billing import subscription_changes
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import a_plan

SUBSCRIBE, ADDRESS = "/v1/billing/subscribe", "/v1/billing/subscriptions"
KEY, OTHER_KEY = {"Idempotency-Key": "one-sign-up"}, {"Idempotency-Key": "another"}
TEAM = {"plan_id": "plan_team_monthly"}


@pytest.fixture
def client(program, sessions, product):
    with sessions.begin() as session:
        a_plan(session, "plan_pro_monthly")
        a_plan(session, "plan_team_monthly", "60")
        a_customer(session)
    return program("admin")


@pytest.fixture
def wanted(client, sessions) -> dict[str, str]:
    with sessions() as session:
        customer = session.scalars(select(Customer.public_id)).one()
    return {"customer_id": customer, "plan_id": "plan_pro_monthly", "payment_method_id": "pm_1234567890"}


@pytest.fixture
def unanswered(client, monkeypatch):
    """``unanswered(address, body, headers)``: the gateway charges, and its answer is lost."""
    charge = SandboxGateway.charge_off_session

    def lost(*given, **facts):
        charge(*given, **facts)
        raise UpstreamFailed("The gateway does not answer")

    def send(address, body, headers=None):
        with monkeypatch.context() as patched:
            patched.setattr(SandboxGateway, "charge_off_session", lost)
            assert client.post(address, json=body, headers=headers).status_code == 502

    return send


def recover(sessions) -> None:
    gateway = SandboxGateway(sessions, settings())
    list(clock.run(sessions, SYSTEM, gateway, now=utc_now() + timedelta(minutes=30)))


def charged(sessions) -> list[int]:
    with sessions() as session:
        return list(session.scalars(select(SandboxCharge.amount_minor).where(SandboxCharge.succeeded)))


def signed_up(sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(Subscription.public_id)))


@pytest.mark.parametrize("recovered", [False, True])
def test_the_same_key_goes_on_with_what_was_begun(client, wanted, unanswered, sessions, recovered):
    unanswered(SUBSCRIBE, wanted, KEY)
    if recovered:
        recover(sessions)
    made = client.post(SUBSCRIBE, json=wanted, headers=KEY)
    assert (made.status_code, made.json()["status"]) == (201, "active")
    recover(sessions)
    assert (signed_up(sessions), charged(sessions)) == ([made.json()["id"]], [3_000])
    assert client.post(SUBSCRIBE, json=wanted, headers=KEY).headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("headers", [{}, OTHER_KEY])
def test_nobody_pays_twice_because_the_first_sign_up_is_not_seen_yet(client, wanted, unanswered, sessions, headers):
    unanswered(SUBSCRIBE, wanted)
    assert client.post(SUBSCRIBE, json=wanted, headers=headers).status_code == 409
    assert client.post(SUBSCRIBE, json=wanted | TEAM).status_code == 201
    recover(sessions)
    assert charged(sessions) == [3_000, 6_000]
    assert client.post(SUBSCRIBE, json=wanted).status_code == 201


def test_a_decline_whose_answer_was_lost_is_told_and_can_be_tried_again(client, wanted, unanswered, sessions):
    failing = wanted | {"payment_method_id": "pm_card_chargeCustomerFail"}
    unanswered(SUBSCRIBE, failing, KEY)
    assert client.post(SUBSCRIBE, json=failing, headers=KEY).status_code == 402
    assert signed_up(sessions) == []
    assert client.post(SUBSCRIBE, json=wanted, headers=OTHER_KEY).status_code == 201


def test_keys_of_different_callers_and_requests_do_not_meet(client, program, wanted, sessions):
    trial = wanted | {"trial_days": 14}
    answers = [client.post(SUBSCRIBE, json=trial, headers=KEY), client.post(SUBSCRIBE, json=trial, headers=OTHER_KEY)]
    answers.append(program("admin").post(SUBSCRIBE, json=trial, headers=KEY))
    assert [one.status_code for one in answers] == [201, 201, 201]
    assert len({one.json()["id"] for one in answers}) == 3


def test_a_change_is_charged_once(client, wanted, unanswered, sessions):
    """60.00 less the 30.00 of the same day."""
    address = f"{ADDRESS}/{client.post(SUBSCRIBE, json=wanted).json()['id']}"
    unanswered(f"{address}/change", TEAM, KEY)
    assert client.post(f"{address}/change", json=TEAM, headers=KEY).status_code == 409
    recover(sessions)
    assert client.post(f"{address}/change", json=TEAM, headers=OTHER_KEY).status_code == 400
    assert client.get(address).json()["plan_id"] == "plan_team_monthly"
    assert charged(sessions) == [3_000, 3_000]
    with sessions() as session:
        assert len(session.scalars(select(SubscriptionChange)).all()) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [("change", TEAM), ("cancel", {"at_period_end": False}), ("payment-method", {"payment_method_id": "pm_card_visa"})],
)
def test_what_was_done_is_not_begun_anew_where_its_answer_was_lost(client, wanted, sessions, monkeypatch, path, body):
    address = f"{ADDRESS}/{client.post(SUBSCRIBE, json=wanted).json()['id']}"

    def lost(*_given):
        raise UpstreamFailed("The answer is lost")

    with monkeypatch.context() as patched:
        patched.setattr(subscription_changes, "ExactJSON", lost)
        assert client.post(f"{address}/{path}", json=body, headers=KEY).status_code == 502
    before = charged(sessions)
    again = client.post(f"{address}/{path}", json=body, headers=KEY)
    assert again.status_code == 409
    assert "with this Idempotency-Key is still being carried out" in again.json()["detail"]
    assert charged(sessions) == before


@pytest.mark.parametrize(("ending", "again"), [({}, 200), ({"at_period_end": False}, 409)])
def test_a_cancellation_sent_again_changes_nothing_more(client, wanted, sessions, ending, again):
    address = f"{ADDRESS}/{client.post(SUBSCRIBE, json=wanted).json()['id']}"
    first = client.post(f"{address}/cancel", json=ending)
    assert first.status_code == 200
    assert client.post(f"{address}/cancel", json=ending).status_code == again
    assert client.get(address).json() == first.json()
    assert charged(sessions) == [3_000]


def test_a_payment_method_sent_again_charges_nothing_more(client, wanted, sessions):
    address = f"{ADDRESS}/{client.post(SUBSCRIBE, json=wanted).json()['id']}"
    card = {"payment_method_id": "pm_card_visa"}
    answers = [client.post(f"{address}/payment-method", json=card) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    # The sandbox keeps another card each time.
    first, second = ({**one.json(), "payment_method_id": None} for one in answers)
    assert first == second
    assert charged(sessions) == [3_000]
