"""What programs do about events later: take one back, once; and read those that came after their period was billed."""

from datetime import date
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from billing_core.customers.models import Customer
from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.metering.archives import service as archives
from billing_core.metering.models import UsagePeriod
from billing_core.plans import service as plans
from billing_core.usage import billing, late
from tests.invoices.company import a_customer
from tests.plans.agreed import a_plan, terms

EVENTS = "/api/v1/usage/events"
LATE = "/api/v1/usage/late"
WHY = {"reason": "Counted twice"}


def an_event(name="1", ref="ACME", **facts):
    return {"id": name, "customer_ref": ref, "time": "2026-03-10T10:00:00Z", **facts}


def withdraw(client, organization, event_id, body=WHY):
    return client.post(
        f"/api/v1/usage/organizations/{organization}/events/{quote(event_id, safe='')}/withdraw", json=body
    )


def calls(client, uuid):
    window = {"billing_period_start": "2026-03-01", "billing_period_end": "2026-03-31"}
    return client.get(f"/api/v1/analytics/usage/{uuid}", params=window).json()["total_api_calls"]


@pytest.fixture
def acme(sessions) -> Customer:
    with sessions.begin() as session:
        customer = session.get_one(Customer, a_customer(session))
        session.expunge(customer)
    return customer


@pytest.fixture
def client(acme, program):
    return program()


@pytest.mark.parametrize("by", ["uuid", "public_id", "ref"])
def test_an_event_is_taken_back_once(by, client, acme):
    client.post(EVENTS, json={"events": [an_event("1"), an_event("2")]})
    assert calls(client, acme.uuid) == 2

    answer = withdraw(client, getattr(acme, by), "1", {"reason": "  Counted   twice "})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told.pop("withdrawn_at").startswith(utc_now().strftime("%Y-"))
    assert told == {
        "organization_id": acme.uuid,
        "id": "1",
        "time": "2026-03-10T10:00:00",
        "reason": "Counted twice",
    }
    assert calls(client, acme.uuid) == 1
    again = withdraw(client, acme.uuid, "1")
    assert (again.status_code, "was withdrawn on" in again.json()["detail"]) == (409, True)
    # Its id stays taken: sending it again brings nothing back.
    assert client.post(EVENTS, json=an_event("1")).json()["repeated"] == 1
    assert calls(client, acme.uuid) == 1


@pytest.mark.parametrize("event_id", ["a/b", "../events", "a b?c=d&e#f", "100 %", "é💩", "a/withdraw", "x" * 255])
def test_an_id_is_any_text(event_id, client, acme):
    assert client.post(EVENTS, json=an_event(event_id)).json()["accepted"] == 1
    answer = withdraw(client, acme.uuid, event_id)
    assert (answer.status_code, answer.json().get("id")) == (200, event_id)


def test_what_is_not_there_cannot_be_withdrawn(client, acme):
    assert withdraw(client, acme.uuid, "1").status_code == 404
    assert withdraw(client, "NONE", "1").json() == {"detail": "Organization not found"}


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 501}, {"reason": 1}, {**WHY, "more": 1}]
)
def test_a_withdrawal_says_why_in_a_short_text(body, client, acme):
    client.post(EVENTS, json=an_event())
    assert withdraw(client, acme.uuid, "1", body).status_code == 400
    assert calls(client, acme.uuid) == 1


@pytest.mark.parametrize("role", ["finance", "manager"])
def test_only_admins_withdraw(role, client, acme, program):
    client.post(EVENTS, json=an_event())
    assert withdraw(program(role), acme.uuid, "1").status_code == 403
    assert withdraw(program(role, customer_id=acme.id), acme.uuid, "1").status_code == 403
    assert calls(client, acme.uuid) == 1


def bill_march(sessions, customer_id):
    with sessions.begin() as session:
        session.add(
            UsagePeriod(
                customer_id=customer_id, first_day=date(2026, 3, 1), last_day=date(2026, 3, 31), billed_at=utc_now()
            )
        )


def test_nothing_is_late_until_something_is(client):
    assert client.get(LATE).json() == {"events": [], "count": 0}


def test_events_of_a_billed_period_are_accepted_and_listed_as_late(client, acme, sessions):
    bill_march(sessions, acme.id)
    batch = [an_event("1", response_time=0.25, quantity=2, properties={"b": 1, "a": [0.1]}), an_event("2")]
    batch.append(an_event("3", time="2026-04-02T10:00:00Z"))
    recorded = client.post(EVENTS, json={"events": batch}).json()
    assert recorded == {"accepted": 3, "repeated": 0, "late": 2, "refused": []}

    first, second = client.get(LATE).json()["events"]
    assert first.pop("received_at").startswith(utc_now().strftime("%Y-"))
    assert first == {
        "id": "1",
        "organization_id": acme.uuid,
        "customer_ref": "ACME",
        "time": "2026-03-10T10:00:00",
        "meter": "api_calls",
        "user": "",
        "endpoint": "",
        "response_time": 0.25,
        "quantity": 2,
        "properties": {"a": [0.1], "b": 1},
        "bucket": None,
        "late": True,
        "archived": False,
        "change": "arrived",
        "withdrawn_at": None,
        "withdrawn_reason": None,
        "billed_period": {"start_date": "2026-03-01", "end_date": "2026-03-31"},
        "worth": None,
        "currency": None,
        "state": "open",
        "invoice_id": None,
    }
    assert (second["id"], second["response_time"], second["quantity"]) == ("2", None, 1)
    withdraw(client, acme.uuid, "2")
    came, went = client.get(LATE).json()["events"][1:]
    assert (came["id"], came["change"], went["id"], went["change"]) == ("2", "arrived", "2", "withdrawn")
    assert came["withdrawn_at"] is not None


def test_what_was_taken_back_from_a_bill_is_listed_with_what_it_is_worth(client, acme, sessions):
    with sessions.begin() as session:
        code = a_plan(session, agreed=terms(1, "0.125"))
        plans.put_on(session, SYSTEM, acme.id, code, valid_from=date(2026, 3, 1), now=utc_now())
    client.post(EVENTS, json={"events": [an_event(str(number)) for number in range(3)]})
    march = Period(date(2026, 3, 1), date(2026, 3, 31))
    with sessions.begin() as session:
        billing.bill(session, SYSTEM, acme.id, march, now=utc_now(), today=utc_now().date())
    client.post(EVENTS, json=an_event("unbilled", time="2026-04-01T10:00:00Z"))
    for event_id in ("1", "unbilled"):
        withdraw(client, acme.uuid, event_id)
    answer = client.get(LATE).json()
    # Two beyond the one that is included were 0.25; one is 0.13, so that 0.12 goes back.
    facts = [(one["id"], one["change"], one["late"], one["worth"], one["state"]) for one in answer["events"]]
    assert (facts, answer["count"]) == ([("1", "withdrawn", False, -0.12, "open")], 1)


def test_a_late_event_says_what_it_is_worth_and_which_invoice_it_is_on(client, acme, sessions):
    with sessions.begin() as session:
        code = a_plan(session, agreed=terms(1, "0.125"))
        plans.put_on(session, SYSTEM, acme.id, code, valid_from=date(2026, 3, 1), now=utc_now())
    client.post(EVENTS, json=an_event("0"))
    march, days = Period(date(2026, 3, 1), date(2026, 3, 31)), {"now": utc_now(), "today": utc_now().date()}
    with sessions.begin() as session:
        billing.bill(session, SYSTEM, acme.id, march, **days)
    client.post(EVENTS, json={"events": [an_event("1"), an_event("2")]})
    listed = [(event["worth"], event["currency"], event["state"]) for event in client.get(LATE).json()["events"]]
    # 0.125 is 0.13, and twice that 0.25.
    assert listed == [(0.13, "USD", "open"), (0.12, "USD", "open")]
    with sessions.begin() as session:
        (invoice_id,) = late.settle(session, SYSTEM, [late.items(session, SYSTEM)[1].id], **days)
    second = client.get(LATE).json()["events"][1]
    assert (second["state"], second["invoice_id"]) == ("invoiced", invoice_id)


def test_waived_usage_that_is_taken_back_is_listed_as_waived(client, acme, sessions):
    with sessions.begin() as session:
        code = a_plan(session, agreed=terms(0, "1"))
        plans.put_on(session, SYSTEM, acme.id, code, valid_from=date(2026, 3, 1), now=utc_now())
    march, days = Period(date(2026, 3, 1), date(2026, 3, 31)), {"now": utc_now(), "today": utc_now().date()}
    with sessions.begin() as session:
        billing.bill(session, SYSTEM, acme.id, march, **days)
    client.post(EVENTS, json=an_event("1"))
    with sessions.begin() as session:
        item_ids = [item.id for item in late.items(session, SYSTEM)]
        late.waive(session, SYSTEM, item_ids, reason="Goodwill", now=utc_now())
    withdraw(client, acme.uuid, "1")
    assert [event["state"] for event in client.get(LATE).json()["events"]] == ["waived", "open"]
    with sessions.begin() as session:
        billing.bill(session, SYSTEM, acme.id, Period(date(2026, 4, 1), date(2026, 4, 30)), **days)
    listed = [(event["worth"], event["state"], event["invoice_id"]) for event in client.get(LATE).json()["events"]]
    assert listed == [(1, "waived", None), (-1, "waived", None)]


def test_late_events_page_by_organization_and_time(client, acme, sessions):
    with sessions.begin() as session:
        beta = a_customer(session, "BETA")
    bill_march(sessions, acme.id)
    bill_march(sessions, beta)
    odd = [an_event("b,c", time="2026-03-11T10:00:00.5Z"), an_event("é &"), an_event("0", "BETA"), an_event("a")]
    client.post(EVENTS, json={"events": odd})

    seen, address = [], f"{LATE}?limit=1"
    while address:
        page = client.get(address)
        assert page.json()["count"] == 1
        seen += [(event["customer_ref"], event["id"]) for event in page.json()["events"]]
        link = page.links.get("next")
        address = link and f"{LATE}?{urlsplit(link['url']).query}"
    assert seen == [("ACME", "a"), ("ACME", "é &"), ("ACME", "b,c"), ("BETA", "0")]


def test_late_events_of_an_archived_month_stay_in_the_list(client, acme, sessions, tmp_path):
    client.post(EVENTS, json=an_event("in time", time="2026-03-09T10:00:00Z"))
    bill_march(sessions, acme.id)
    client.post(EVENTS, json={"events": [an_event("1", user="ana"), an_event("2")]})
    for name in ("in time", "2"):
        withdraw(client, acme.uuid, name)
    archives.archive(sessions, SYSTEM, date(2026, 3, 1), tmp_path, now=utc_now())
    client.post(EVENTS, json=an_event("3", time="2026-03-11T10:00:00Z", endpoint="/v1"))

    answer = client.get(LATE).json()
    told = [(one["id"], one["change"], one["late"], one["archived"], one["endpoint"]) for one in answer["events"]]
    assert told == [
        ("in time", "withdrawn", False, True, None),
        ("1", "arrived", True, True, None),
        ("2", "arrived", True, True, None),
        ("2", "withdrawn", True, True, None),
        ("3", "arrived", True, False, "/v1"),
    ]
    first = answer["events"][1]
    names = ("meter", "user", "time", "quantity", "properties", "response_time", "received_at", "withdrawn_at")
    assert [first[name] for name in names] == ["api_calls", "ana", "2026-03-10T10:00:00", *[None] * 5]
    page = client.get(LATE, params={"limit": 1})
    assert ([one["id"] for one in page.json()["events"]], "next" in page.links) == (["in time"], True)


def test_whoever_is_bound_sees_their_own_late_events_alone(client, acme, program, sessions):
    with sessions.begin() as session:
        beta = a_customer(session, "BETA")
    bill_march(sessions, acme.id)
    bill_march(sessions, beta)
    client.post(EVENTS, json={"events": [an_event("1"), an_event("2", "BETA")]})
    bound = program("finance", customer_id=beta)
    assert [event["id"] for event in bound.get(LATE).json()["events"]] == ["2"]
    place = parse_qs(urlsplit(client.get(LATE, params={"limit": 1}).links["next"]["url"]).query)["starting_after"]
    assert [event["id"] for event in bound.get(LATE, params={"starting_after": place}).json()["events"]] == ["2"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"starting_after": ""},
        {"starting_after": "1"},
        {"starting_after": "1,2026-02-30T00:00:00.000000Z,1"},
        {"starting_after": "9999999999,2026-02-20T00:00:00.000000Z,1"},
        {"before": "1"},
    ],
)
def test_wrong_pages_are_refused(query, client):
    assert client.get(LATE, params=query).status_code == 400
