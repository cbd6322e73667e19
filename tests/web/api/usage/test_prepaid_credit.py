"""Prepaid credit for programs: what there is, giving some, and how it is topped up."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from tests.invoices.company import a_customer

WELCOME = {"amount": 12.5, "reason": "Welcome"}


@pytest.fixture
def acme(sessions) -> Customer:
    with sessions.begin() as session:
        customer = session.get_one(Customer, a_customer(session))
        session.expunge(customer)
    return customer


@pytest.fixture
def client(acme, program):
    return program()


def at(organization: str) -> str:
    return f"/api/v1/usage/organizations/{organization}/prepaid-credit"


def credit(client, organization: str, **query):
    answer = client.get(at(organization), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_without_any_there_is_none(client, acme):
    assert credit(client, acme.uuid) == {
        "organization_id": acme.uuid,
        "customer_ref": acme.ref,
        "available": [],
        "top_up": None,
        "grants": [],
        "count": 0,
    }


@pytest.mark.parametrize("by", ["uuid", "public_id", "ref"])
def test_given_credit_is_there(by, client, acme):
    last_day = (utc_now() + timedelta(days=30)).date().isoformat()
    answer = client.post(at(getattr(acme, by)), json={**WELCOME, "expires_on": last_day})
    assert answer.status_code == 201, answer.text
    grant = answer.json()
    assert {name: grant[name] for name in ("origin", "amount", "left", "currency", "expires_on", "reason")} == {
        "origin": "given",
        "amount": 12.5,
        "left": 12.5,
        "currency": acme.currency,
        "expires_on": last_day,
        "reason": "Welcome",
    }
    client.post(at(acme.uuid), json={"amount": 0.01, "reason": "More"})
    told = credit(client, acme.uuid)
    assert told["available"] == [{"amount": 12.51, "currency": acme.currency}]
    assert [one["amount"] for one in told["grants"]] == [0.01, 12.5]


def test_grants_are_paged_the_latest_first(client, acme):
    for amount in (1, 2, 3):
        client.post(at(acme.uuid), json={"amount": amount, "reason": "Welcome"})
    page = client.get(at(acme.uuid), params={"limit": 2})
    assert [one["amount"] for one in page.json()["grants"]] == [3, 2]
    following = client.get(page.links["next"]["url"])
    assert ([one["amount"] for one in following.json()["grants"]], "next" in following.links) == ([1], False)
    assert following.json()["available"] == [{"amount": 6, "currency": acme.currency}]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": 0, "reason": "x"}, "amount"),
        ({"amount": -1, "reason": "x"}, "amount"),
        ({"amount": 0.001, "reason": "x"}, "amount"),
        ({"amount": 10**13 + 1, "reason": "x"}, "amount"),
        ({"amount": "5", "reason": "x"}, "amount"),
        ({"amount": 5}, "reason"),
        ({"amount": 5, "reason": "   "}, "reason"),
        ({"amount": 5, "reason": "x", "expires_on": "2020-01-01"}, "expires_on"),
        ({"amount": 5, "reason": "x", "expires_on": "9999-12-31"}, "expires_on"),
        ({"amount": 5, "reason": "x", "expires_on": 5}, "expires_on"),
        ({"amount": 5, "reason": "x", "surplus": 1}, "surplus"),
    ],
)
def test_what_cannot_be_given_is_refused_by_the_name_of_the_field(client, acme, given, field):
    answer = client.post(at(acme.uuid), json=given)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert credit(client, acme.uuid)["count"] == 0


def test_a_repeated_request_gives_once(client, acme):
    headers = {"Idempotency-Key": "once"}
    first, second = (client.post(at(acme.uuid), json=WELCOME, headers=headers) for _ in range(2))
    assert (first.status_code, second.json()) == (201, first.json())
    assert credit(client, acme.uuid)["count"] == 1


def test_topping_up_is_set_and_ended(client, acme, sessions):
    wanted = {"below": 20, "up_to": 100.5, "valid_days": 365, "sends": True}
    assert client.patch(at(acme.uuid), json={"top_up": wanted}).json()["top_up"] == wanted
    # The same again is no mistake, and no change.
    assert client.patch(at(acme.uuid), json={"top_up": wanted}).status_code == 200
    assert credit(client, acme.uuid)["top_up"] == wanted
    assert client.patch(at(acme.uuid), json={"top_up": None}).json()["top_up"] is None
    with sessions() as session:
        kept = session.scalars(
            select(AuditEntry.action).where(AuditEntry.action == "prepaid.top_up").order_by(AuditEntry.id)
        ).all()
    assert len(kept) == 2


@pytest.mark.parametrize(
    ("top_up", "field"),
    [
        ({"below": 20, "up_to": 10}, "up_to"),
        ({"below": 0, "up_to": 10}, "top_up.below"),
        ({"below": 1, "up_to": 10.001}, "top_up.up_to"),
        ({"below": 1, "up_to": 10, "valid_days": 0}, "top_up.valid_days"),
        ({"below": 1, "up_to": 10, "sends": "yes"}, "top_up.sends"),
        ({"below": 1}, "top_up.up_to"),
    ],
)
def test_topping_up_that_cannot_be_is_refused_by_the_name_of_the_field(client, acme, top_up, field):
    answer = client.patch(at(acme.uuid), json={"top_up": top_up})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert credit(client, acme.uuid)["top_up"] is None


def test_who_is_bound_sees_its_own_alone_and_only_admins_change(client, acme, program, sessions):
    with sessions.begin() as session:
        a_customer(session, ref="OTHER")
    client.post(at(acme.uuid), json=WELCOME)
    client.post(at("OTHER"), json=WELCOME)
    bound = program("manager", customer_id=acme.id)
    assert credit(bound, acme.uuid)["count"] == 1
    assert bound.get(at("OTHER")).status_code == 404
    assert client.get(at("NONE")).json() == {"detail": "Organization not found"}
    for weaker in (bound, program("manager"), program("finance")):
        assert weaker.post(at(acme.uuid), json=WELCOME).status_code == 403
        assert weaker.patch(at(acme.uuid), json={"top_up": {"below": 1, "up_to": 2}}).status_code == 403
