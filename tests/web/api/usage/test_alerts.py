"""Alerts on usage, set up by programs."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.metering.alerts import AlertMeasure
from billing_core.usage import alerts
from billing_core.usage.alerts import Threshold, Told
from tests.invoices.company import NOW, a_customer

ALERTS = "/api/v1/usage/alerts"


@pytest.fixture
def acme(sessions) -> Customer:
    with sessions.begin() as session:
        customer = session.get_one(Customer, a_customer(session))
        session.expunge(customer)
    return customer


@pytest.fixture
def client(acme, program):
    return program()


def created(client, **facts):
    answer = client.post(ALERTS, json={"measure": "calls", "threshold": 1000, **facts})
    assert answer.status_code == 201, answer.text
    return answer.json()


def listed(client, **query):
    answer = client.get(ALERTS, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["alerts"]


@pytest.mark.parametrize("by", ["uuid", "public_id", "ref"])
def test_an_alert_is_created_changed_and_removed(by, client, acme, sessions):
    whose = {"organization_id": getattr(acme, by)}
    made = created(client, **whose, measure="allowance", threshold=80, recipients=["ana@example.com"])
    assert made.pop("set_at")
    expected = {
        "id": made["id"],
        "organization_id": acme.uuid,
        "customer_ref": acme.ref,
        "measure": "allowance",
        "threshold": 80,
        "currency": None,
        "recipients": ["ana@example.com"],
        "to_customer": False,
        "version": 1,
    }
    assert made == expected
    here = f"{ALERTS}/{made['id']}"
    changed = client.patch(here, json={"threshold": 95, "to_customer": True, "version": 1}).json()
    assert changed.pop("set_at")
    assert changed == expected | {"threshold": 95, "to_customer": True, "version": 2}
    # What is left out stays, and nothing to change is no mistake.
    assert client.patch(here, json={}).json()["version"] == 2
    assert client.patch(here, json={"recipients": []}).json()["recipients"] == []

    assert client.delete(here).json() == {"message": "Alert removed", "id": made["id"]}
    assert client.delete(here).status_code == 404
    assert client.patch(here, json={"threshold": 1}).status_code == 404
    assert listed(client) == []
    with sessions() as session:
        actions = session.scalars(
            select(AuditEntry.action).where(AuditEntry.subject_kind == "usage_alert").order_by(AuditEntry.id)
        ).all()
    assert actions == ["usage_alert.create", "usage_alert.change", "usage_alert.change", "usage_alert.remove"]


def test_a_cost_is_an_amount_of_the_organizations_currency_or_of_the_one_that_is_named(client, acme):
    own = created(client, organization_id=acme.uuid, measure="cost", threshold=12.5)
    assert (own["threshold"], own["currency"]) == (12.5, acme.currency)
    named = created(client, organization_id=acme.uuid, measure="cost", threshold=13, currency=acme.currency)
    assert (named["threshold"], named["currency"]) == (13, acme.currency)
    everybody = created(client, measure="cost", threshold=1000, currency="JPY")
    assert (everybody["threshold"], everybody["currency"], everybody["organization_id"]) == (1000, "JPY", None)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"measure": "calls", "threshold": 1.5}, "threshold"),
        ({"measure": "calls", "threshold": 0}, "threshold"),
        ({"measure": "calls", "threshold": -1}, "threshold"),
        ({"measure": "calls", "threshold": 10**16}, "threshold"),
        ({"measure": "calls", "threshold": "80"}, "threshold"),
        ({"measure": "allowance", "threshold": 10_001}, "threshold"),
        ({"measure": "cost", "threshold": 1}, "currency"),
        ({"measure": "cost", "threshold": 1, "currency": "EUR", "organization_id": "ACME"}, "currency"),
        ({"measure": "calls", "threshold": 1, "currency": "USD", "organization_id": "ACME"}, "currency"),
        ({"measure": "calls", "threshold": 1, "currency": "USD"}, "currency"),
        ({"measure": "allowance", "threshold": 1, "currency": "USD"}, "currency"),
        ({"measure": "cost", "threshold": 0.001, "currency": "USD"}, "threshold"),
        ({"measure": "cost", "threshold": 0.5, "currency": "JPY"}, "threshold"),
        ({"measure": "time", "threshold": 1}, "measure"),
        ({"threshold": 1}, "measure"),
        ({"measure": "calls"}, "threshold"),
        ({"measure": "calls", "threshold": 1, "recipients": ["ana"]}, "recipients"),
        ({"measure": "calls", "threshold": 1, "recipients": ["ana@example.com"] * 21}, "recipients"),
        ({"measure": "calls", "threshold": 1, "to_customer": "yes"}, "to_customer"),
        ({"measure": "calls", "threshold": 1, "surplus": 1}, "surplus"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_the_field(client, acme, given, field):
    answer = client.post(ALERTS, json=given)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert listed(client) == []


def test_nobody_is_watched_twice_for_the_same_and_a_newer_version_is_not_overwritten(client, acme):
    made = created(client, organization_id=acme.uuid)
    again = client.post(ALERTS, json={"organization_id": acme.ref, "measure": "calls", "threshold": 1000})
    assert (again.status_code, list(again.json()["fields"])) == (409, ["threshold"])
    assert client.post(ALERTS, json={"organization_id": "NONE", "measure": "calls", "threshold": 1}).status_code == 404
    stale = client.patch(f"{ALERTS}/{made['id']}", json={"threshold": 5, "version": made["version"] + 1})
    assert stale.status_code == 409
    other = created(client, organization_id=acme.uuid, threshold=1001)
    moved = client.patch(f"{ALERTS}/{other['id']}", json={"threshold": 1000})
    assert (moved.status_code, list(moved.json()["fields"])) == (409, ["threshold"])


def test_a_repeated_request_creates_one(client):
    headers = {"Idempotency-Key": "once"}
    body = {"measure": "calls", "threshold": 5}
    first, second = (client.post(ALERTS, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code, second.json()) == (201, 201, first.json())
    assert len(listed(client)) == 1


def test_a_list_is_paged_and_narrowed(client, acme):
    mine = [created(client, organization_id=acme.uuid, threshold=number)["id"] for number in (1, 2)]
    everybodys = created(client, threshold=3)["id"]
    page = client.get(ALERTS, params={"limit": 2})
    assert [one["id"] for one in page.json()["alerts"]] == mine
    following = client.get(page.links["next"]["url"])
    assert [one["id"] for one in following.json()["alerts"]] == [everybodys]
    assert "next" not in following.links
    # What watches everybody concerns each.
    assert [one["id"] for one in listed(client, organization_id=acme.ref)] == [*mine, everybodys]


def test_who_is_bound_sees_what_watches_it_alone_and_only_admins_change(client, acme, program, sessions):
    with sessions.begin() as session:
        other = a_customer(session, ref="OTHER")
        alerts.create(session, SYSTEM, other, Threshold(AlertMeasure.CALLS, 7), Told(), now=NOW)
    mine = created(client, organization_id=acme.uuid)["id"]
    created(client, threshold=3)
    bound = program("manager", customer_id=acme.id)
    assert [one["id"] for one in listed(bound)] == [mine]
    assert bound.get(ALERTS, params={"organization_id": "OTHER"}).status_code == 404
    for weaker in (bound, program("manager"), program("finance")):
        assert weaker.post(ALERTS, json={"measure": "calls", "threshold": 9}).status_code == 403
        assert weaker.patch(f"{ALERTS}/{mine}", json={"threshold": 9}).status_code == 403
        assert weaker.delete(f"{ALERTS}/{mine}").status_code == 403
