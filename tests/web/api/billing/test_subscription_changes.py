"""Changing subscriptions by programs: what is previewed is what is charged, and every refusal has its status."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.online_payments.models import SandboxCharge
from billing_core.plans import service as plans
from billing_core.plans.terms import Terms
from billing_core.subscriptions.moving import rehearsing, service
from billing_core.subscriptions.moving.asked import Asked
from tests.invoices.company import a_customer
from tests.subscriptions.signed_up import D, a_plan

SUBSCRIBE, ADDRESS = "/v1/billing/subscribe", "/v1/billing/subscriptions"


@pytest.fixture
def acme(sessions, product) -> str:
    with sessions.begin() as session:
        a_plan(session, "plan_pro_monthly")
        a_plan(session, "plan_team_monthly", "60", seat_price=D(5), included_seats=1)
        return session.get_one(Customer, a_customer(session)).public_id


@pytest.fixture
def client(program, acme):
    return program("admin")


@pytest.fixture
def address(client, acme) -> str:
    """Of a subscription to the cheaper plan, whose first period has just begun and is paid."""
    return f"{ADDRESS}/{subscribed(client, acme)['id']}"


def subscribed(client, acme, **facts):
    given = {"customer_id": acme, "plan_id": "plan_pro_monthly", "payment_method_id": "pm_1234567890"} | facts
    return client.post(SUBSCRIBE, json=given).json()


def charged(sessions) -> list[int]:
    with sessions() as session:
        return list(session.scalars(select(SandboxCharge.amount_minor).where(SandboxCharge.succeeded)))


def test_what_was_previewed_is_charged(client, address, sessions):
    """On the first day everything is left: 60.00 less 30.00."""
    wanted = {"plan_id": "plan_team_monthly"}
    preview = client.post(f"{address}/preview", json=wanted).json()
    assert (preview["when"], preview["total"], preview["credited"], preview["credit_used"]) == ("now", 6000, 3000, 3000)
    assert preview["to_pay"] == 3000
    assert [line["amount"] for line in preview["lines"]] == [6000, -3000]
    assert preview["next_invoice"]["total"] == 6000
    made = client.post(f"{address}/change", json=wanted | {"token": preview["token"]})
    assert made.status_code == 200
    assert (made.json()["status"], made.json()["to_pay"], made.json()["plan_id"]) == (
        "applied",
        3000,
        wanted["plan_id"],
    )
    assert client.get(address).json()["plan_id"] == "plan_team_monthly"
    again = client.post(f"{address}/change", json=wanted | {"token": preview["token"]})
    assert again.json() == made.json()
    assert charged(sessions) == [3000, 3000]
    assert client.get(f"{address}/changes").json() == {"changes": [made.json()], "count": 1}


def test_what_comes_to_something_else_is_409_with_a_new_preview(client, address, sessions):
    token = client.post(f"{address}/preview", json={"plan_id": "plan_team_monthly"}).json()["token"]
    wanted = {"plan_id": "plan_team_monthly", "seats": 2}
    refused = client.post(f"{address}/change", json=wanted | {"token": token})
    assert refused.status_code == 409
    fresh = refused.json()["preview"]
    assert (fresh["total"], fresh) == (6500, client.post(f"{address}/preview", json=wanted).json())
    assert charged(sessions) == [3000]


def test_a_refused_card_is_402_and_nothing_has_changed(client, address):
    client.post(f"{address}/payment-method", json={"payment_method_id": "pm_card_chargeCustomerFail"})
    before = client.get(address).json()
    refused = client.post(f"{address}/change", json={"plan_id": "plan_team_monthly"})
    assert refused.status_code == 402
    assert "declined" in refused.json()["detail"]
    assert client.get(address).json() == before
    (failed,) = client.get(f"{address}/changes").json()["changes"]
    assert (failed["status"], failed["outcome"]) == ("failed", refused.json()["detail"])


def test_another_payment_method_is_kept_or_refused(client, address):
    answer = client.post(f"{address}/payment-method", json={"payment_method_id": "pm_other"})
    assert answer.status_code == 200
    assert answer.json()["payment_method_id"].startswith("pm_other")
    refused = client.post(f"{address}/payment-method", json={"payment_method_id": "pm_card_visa_chargeDeclined"})
    assert refused.status_code == 402
    assert client.get(address).json() == answer.json()


def test_a_scheduled_change_is_listed_and_withdrawn(client, acme):
    subscription = subscribed(client, acme, plan_id="plan_team_monthly")
    address = f"{ADDRESS}/{subscription['id']}"
    made = client.post(f"{address}/change", json={"plan_id": "plan_pro_monthly"}).json()
    assert (made["status"], made["to_pay"], made["effective_at"]) == ("scheduled", 0, None)
    assert made["begins_at"] == subscription["current_period_end"]
    (listed,) = client.get(f"{address}/changes").json()["changes"]
    assert listed == made
    withdrawn = client.post(f"{address}/changes/{made['id']}/withdraw")
    assert (withdrawn.status_code, withdrawn.json()["status"]) == (200, "withdrawn")
    assert withdrawn.json()["begins_at"] is None
    assert client.post(f"{address}/changes/{made['id']}/withdraw").status_code == 409
    assert client.post(f"{address}/changes/{made['id'] + 1}/withdraw").status_code == 404


def test_the_first_day_of_a_change_at_the_end_is_previewed_as_things_stand(client, acme):
    subscription = subscribed(client, acme, plan_id="plan_team_monthly")
    address = f"{ADDRESS}/{subscription['id']}"
    wanted = {"plan_id": "plan_pro_monthly"}
    preview = client.post(f"{address}/preview", json=wanted).json()
    assert (preview["when"], preview["first_day"]) == ("period_end", subscription["current_period_end"][:10])
    client.post(f"{address}/cancel", json={})
    assert client.post(f"{address}/preview", json=wanted).json()["first_day"] is None
    now = client.post(f"{address}/preview", json=wanted | {"when": "now"}).json()
    assert now["first_day"] == subscription["current_period_start"][:10]


def test_a_move_to_another_version_is_listed_and_withdrawn(client, address, sessions):
    today = utc_now().date()
    asked, limits = Asked("plan_pro_monthly", 2, today + timedelta(days=30)), {"today": today, "notice_days": 30}
    with sessions.begin() as session:
        plans.add_version(session, SYSTEM, "plan_pro_monthly", Terms("USD", D(40), 0, D(0)), now=utc_now())
        shown = rehearsing.rehearse(session, SYSTEM, asked, **limits)
        service.move(session, SYSTEM, asked, shown.token, now=utc_now(), **limits)
    (move,) = client.get(f"{address}/changes").json()["changes"]
    assert (move["status"], move["plan_id"], move["plan_version"]) == ("scheduled", "plan_pro_monthly", 2)
    assert move["not_before"] == asked.first_day.isoformat()
    assert move["begins_at"][:10] >= move["not_before"]
    assert client.post(f"{address}/changes/{move['id']}/withdraw").json()["status"] == "withdrawn"


def test_changes_are_listed_page_by_page(client, address):
    for seats in (1, 2, 3):
        client.post(f"{address}/change", json={"plan_id": "plan_team_monthly", "seats": seats})
    page = client.get(f"{address}/changes", params={"limit": 2})
    assert [one["seats"] for one in page.json()["changes"]] == [3, 2]
    rest = client.get(page.links["next"]["url"])
    assert [one["seats"] for one in rest.json()["changes"]] == [1]


def test_cancelled_at_the_end_unless_it_is_resumed(client, address):
    answer = client.post(f"{address}/cancel", json={})
    assert (answer.status_code, answer.json()["cancel_at_period_end"], answer.json()["status"]) == (200, True, "active")
    assert client.post(f"{address}/resume").json()["cancel_at_period_end"] is False
    assert client.post(f"{address}/resume").status_code == 409


def test_cancelled_at_once_it_is_final(client, address):
    answer = client.post(f"{address}/cancel", json={"at_period_end": False, "unused": "refund", "reason": "Too dear"})
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    given = {
        "preview": {"plan_id": "plan_team_monthly"},
        "change": {"plan_id": "plan_team_monthly"},
        "cancel": {},
        "cancel/preview": {},
        "pause": None,
        "resume": None,
        "payment-method": {"payment_method_id": "pm_other"},
    }
    for verb, body in given.items():
        assert client.post(f"{address}/{verb}", json=body).status_code == 409, verb


def test_what_was_previewed_is_what_cancelling_does(client, address):
    """On the day on which its period of 30.00 has begun, which counts as used, but for no more than that day."""
    ending = {"at_period_end": False, "unused": "refund"}
    preview = client.post(f"{address}/cancel/preview", json=ending).json()
    assert preview["lines"][0]["amount"] == -preview["refunded"] == -preview["credited"]
    assert 2_890 < preview["refunded"] < 2_910
    assert (preview["to_credit"], preview["off_invoices"], preview["open_invoices"]) == (0, 0, [])
    other = {"at_period_end": False, "unused": "nothing", "token": preview["token"]}
    refused = client.post(f"{address}/cancel", json=other)
    assert refused.status_code == 409
    assert refused.json()["preview"]["refunded"] == 0
    for _ in range(2):
        answer = client.post(f"{address}/cancel", json=ending | {"reason": "Dear", "token": preview["token"]})
        assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert client.post(f"{address}/cancel/preview", json=ending).status_code == 409


def test_a_preview_of_ending_with_the_period_gives_nothing_back(client, address):
    preview = client.post(f"{address}/cancel/preview", json={}).json()
    assert (preview["at_period_end"], preview["credited"], preview["lines"]) == (True, 0, [])


def test_paused_and_resumed(client, address):
    assert client.post(f"{address}/pause").json()["paused_at"] is not None
    assert client.post(f"{address}/pause").status_code == 409
    assert client.post(f"{address}/resume").json()["paused_at"] is None


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "plan_id"),
        ({"plan_id": "plan_pro_monthly"}, "plan_id"),
        ({"seats": 0}, "seats"),
        ({"seats": 2}, "seats"),
        ({"seats": "2"}, "seats"),
        ({"add_ons": {"support": 1}}, "add_ons"),
        ({"when": "soon"}, "when"),
        ({"colour": "red"}, "colour"),
    ],
)
@pytest.mark.parametrize("verb", ["preview", "change"])
def test_bad_values_are_400_and_named(client, address, verb, body, named):
    refused = client.post(f"{address}/{verb}", json=body)
    assert refused.status_code == 400
    assert named in refused.text


def test_what_is_not_there_is_404(client, address):
    for verb in ("preview", "change"):
        assert client.post(f"{address}/{verb}", json={"plan_id": "plan_none"}).status_code == 404
        assert client.post(f"{ADDRESS}/sub_none/{verb}", json={"plan_id": "plan_team_monthly"}).status_code == 404
    assert client.get(f"{ADDRESS}/sub_none/changes").status_code == 404
    for path in ("cancel", "cancel/preview"):
        assert client.post(f"{ADDRESS}/sub_none/{path}", json={}).status_code == 404


def test_the_same_request_again_changes_once(client, address, sessions):
    key = {"Idempotency-Key": "one"}
    wanted = {"plan_id": "plan_team_monthly"}
    first, again = (client.post(f"{address}/change", json=wanted, headers=key) for _ in range(2))
    assert (first.status_code, first.json()) == (200, again.json())
    assert charged(sessions) == [3000, 3000]


def test_only_admins_change(program, client, address):
    for role in ("finance", "manager"):
        for verb, body in (
            ("preview", {"seats": 2}),
            ("change", {"seats": 2}),
            ("cancel", {}),
            ("cancel/preview", {}),
            ("pause", None),
        ):
            assert program(role).post(f"{address}/{verb}", json=body).status_code == 403, verb
        assert program(role).get(f"{address}/changes").json() == {"changes": [], "count": 0}


def test_what_is_declined_twice_is_402_twice(client, address):
    client.post(f"{address}/payment-method", json={"payment_method_id": "pm_card_chargeCustomerFail"})
    wanted = {"plan_id": "plan_team_monthly"}
    assert [client.post(f"{address}/change", json=wanted).status_code for _ in range(2)] == [402, 402]
