"""The analytics API: the published document to the letter, its refusals, and what was added to it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.metering import digests, ingestion, withdrawal
from billing_core.metering.archives import service as archives
from billing_core.plans import service as plans
from billing_core.usage import document
from billing_core.usage.exports import events as exports
from billing_core.web.api.analytics import routes
from tests.plans.agreed import NOW, a_plan, terms
from tests.usage.october import FIRST, GENERATED, an_organization, called, october

ID = document.ID
OTHER = "0b7e9f5c-3a44-4f0d-9d6b-6a1f0f3d2c11"
UNKNOWN = "0b7e9f5c-0000-4f0d-9d6b-6a1f0f3d2c11"
INVOICE = f"/api/v1/analytics/billing/invoice/{ID}"
USAGE = f"/api/v1/analytics/usage/{ID}"
BILLING = f"/api/v1/analytics/billing/{ID}"
OCTOBER = {"billing_period_start": "2023-10-01T00:00:00", "billing_period_end": "2023-10-31T23:59:59"}
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def example(sessions) -> int:
    with sessions.begin() as session:
        return october(session)


@pytest.fixture
def small(sessions) -> int:
    """The organization with two calls on the first of October, and another one."""
    with sessions.begin() as session:
        customer_id = an_organization(session)
        plans.put_on(session, SYSTEM, customer_id, a_plan(session), valid_from=FIRST.date(), now=NOW)
        called(session, ID, [FIRST, FIRST + timedelta(hours=1)])
        an_organization(session, uuid=OTHER, ref="OTHER", name="Other")
        return customer_id


@pytest.fixture
def at_ten(monkeypatch):
    """Asked when the document's example was generated."""
    monkeypatch.setattr(routes, "utc_now", lambda: GENERATED)


def test_the_published_example_to_the_letter(example, program, at_ten):
    answer = program().get(INVOICE, params=OCTOBER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == document.EXAMPLE
    assert '"average_response_time":0.42,' in answer.text
    assert '"price_per_call":0.001,"total_cost":2.5,"currency":"USD"}' in answer.text


def test_the_two_parts_are_the_same_as_in_the_document(example, program):
    client = program()
    assert client.get(USAGE, params=OCTOBER).json() == document.EXAMPLE["usage"]
    assert client.get(BILLING, params=OCTOBER).json() == document.EXAMPLE["billing"]


@ONE_DATABASE
def test_asking_again_gives_the_same_number(small, program):
    client = program()
    numbers = {client.get(INVOICE, params=OCTOBER).json()["invoice_number"] for _ in range(2)}
    assert numbers == {f"INV-{ID}-202310"}


@ONE_DATABASE
def test_by_default_it_is_this_month_until_now(small, program):
    before = datetime.now(UTC).replace(microsecond=0)
    shown = program().get(INVOICE).json()
    after = datetime.now(UTC)
    end = datetime.fromisoformat(shown["billing_period"]["end"]).replace(tzinfo=UTC)
    assert before <= end <= after
    assert shown["billing_period"]["start"] == f"{end:%Y-%m}-01T00:00:00"
    assert shown["invoice_number"] == f"INV-{ID}-{end:%Y%m}"
    assert datetime.fromisoformat(shown["due_date"]) == datetime.fromisoformat(shown["billing_period"]["end"]) + (
        timedelta(days=30)
    )
    assert shown["usage"]["period"] == {
        "start_date": shown["billing_period"]["start"],
        "end_date": shown["billing_period"]["end"],
    }


@ONE_DATABASE
@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        ("2023-10-01", "2023-10-31", ("2023-10-01T00:00:00", "2023-10-31T23:59:59")),
        ("2023-10-01T02:00:00+02:00", "2023-10-31T23:59:59Z", ("2023-10-01T00:00:00", "2023-10-31T23:59:59")),
        ("2023-10-01 00:00", "2023-10-31t12:00:00.5z", ("2023-10-01T00:00:00", "2023-10-31T12:00:00.500000")),
    ],
)
def test_times_come_in_every_usual_form_and_go_out_in_utc(small, program, start, end, shown):
    asked = {"billing_period_start": start, "billing_period_end": end}
    period = program().get(INVOICE, params=asked).json()["billing_period"]
    assert (period["start"], period["end"]) == shown


@ONE_DATABASE
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"billing_period_start": "yesterday"}, "billing_period_start"),
        ({"billing_period_start": "2023-10-01T00:00:00 02:00"}, "billing_period_start"),
        ({"billing_period_start": "1696118400"}, "billing_period_start"),
        ({"billing_period_end": "2023-02-30"}, "billing_period_end"),
        ({"billing_period_end": "2023-10-01T24:01:00"}, "billing_period_end"),
        ({"billing_period_end": ""}, "billing_period_end"),
        ({"billing_period_start": "2023-10-02", "billing_period_end": "2023-10-01"}, "billing_period_start"),
        ({"billing_period_start": "0001-01-01T00:00:00+14:00"}, "billing_period_start"),
        (
            {"billing_period_start": "2023-10-01", "billing_period_end": "9999-12-31T23:59:59-14:00"},
            "billing_period_end",
        ),
        ({"period": "2023-10"}, "period"),
    ],
)
def test_a_wrong_period_is_refused_by_the_name_of_the_parameter(small, program, asked, field):
    client = program()
    for address in (INVOICE, USAGE, BILLING, f"{USAGE}/daily"):
        refused = client.get(address, params=asked)
        assert (refused.status_code, list(refused.json()["fields"])) == (400, [field])
        assert refused.json()["detail"].startswith(f"{field}: ")


@ONE_DATABASE
def test_without_credentials_it_is_the_documented_401(small, api, browser):
    for address in (INVOICE, USAGE, BILLING, "/api/v1/organizations"):
        refused = browser().get(address)
        assert (refused.status_code, refused.json()) == (401, {"detail": "Not authenticated"})
        assert browser().get(address, headers={"Authorization": "Bearer eyJ.no.token"}).status_code == 401


@ONE_DATABASE
def test_an_organizations_own_people_see_it_and_no_other(small, program):
    for role in ("finance", "manager"):
        client = program(role, customer_id=small)
        assert client.get(INVOICE, params=OCTOBER).json()["usage"]["total_api_calls"] == 2
        for uuid in (OTHER, UNKNOWN, "nonsense"):
            refused = client.get(INVOICE.replace(ID, uuid))
            assert (refused.status_code, refused.json()) == (
                403,
                {"detail": "Cannot generate invoices for other organizations"},
            )
            assert client.get(USAGE.replace(ID, uuid)).status_code == 403
            assert client.get(BILLING.replace(ID, uuid)).status_code == 403


@ONE_DATABASE
def test_staff_below_an_admin_belong_to_no_organization(small, program, front_end):
    for client in (program("manager"), front_end("finance")):
        refused = client.get(INVOICE)
        assert (refused.status_code, refused.json()) == (
            403,
            {"detail": "Cannot generate invoices for other organizations"},
        )


@ONE_DATABASE
def test_a_superuser_sees_all_and_learns_which_there_are_not(small, program, front_end):
    for client in (program("admin"), front_end("admin")):
        assert client.get(INVOICE.replace(ID, OTHER)).status_code == 200
        assert client.get(INVOICE.replace(ID, ID.upper())).json()["organization"]["id"] == ID
        for uuid in (UNKNOWN, "nonsense"):
            for address in (INVOICE, USAGE, BILLING, f"{USAGE}/daily"):
                refused = client.get(address.replace(ID, uuid))
                assert (refused.status_code, refused.json()) == (404, {"detail": "Organization not found"})


@ONE_DATABASE
def test_a_fault_has_the_documented_text_with_a_reference_that_the_log_has_too(small, program, monkeypatch, capsys):
    def broken(*_args, **_facts):
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(routes.statements, "usage_in", broken)
    client = program()
    for address, text in (
        (INVOICE, "Failed to generate invoice: "),
        (USAGE, "Failed to get usage: "),
        (BILLING, "Failed to get billing: "),
    ):
        failed = client.get(address)
        reference = failed.headers["x-request-id"]
        assert failed.status_code == 500
        assert failed.json() == {"detail": f"{text}{reference}", "reference": reference}
        assert reference in capsys.readouterr().out


def test_exported_events_are_those_that_the_api_lists(small, program, sessions):
    with sessions() as session:
        period = Period(FIRST.date(), FIRST.date())
        lines = b"".join(exports.events(session, SYSTEM, small, period).chunks).splitlines()
    assert [json.loads(line) for line in lines] == program().get(f"{USAGE}/events", params=OCTOBER).json()["events"]
    assert len(lines) == 2


def test_each_day_is_listed_and_pages_lead_on(small, program, sessions):
    client = program()
    whole = client.get(f"{USAGE}/daily", params=OCTOBER).json()
    assert (whole["organization_id"], whole["period"]["end_date"]) == (ID, "2023-10-31T23:59:59")
    assert [day["date"] for day in whole["days"]] == [f"2023-10-{day:02}" for day in range(1, 32)]
    with sessions() as session:
        (kept,) = digests.of_days(session, SYSTEM, small, Period(FIRST.date(), GENERATED.date()))
    assert whole["days"][0] == {
        "date": "2023-10-01",
        "active_users": 1,
        "total_api_calls": 2,
        "average_response_time": 0.42,
        "digest": kept.digest,
    }
    assert {(day["total_api_calls"], day["digest"]) for day in whole["days"][1:]} == {(0, None)}

    paged, address = [], f"{USAGE}/daily?limit=15&billing_period_start=2023-10-01&billing_period_end=2023-10-31"
    while address:
        answer = client.get(address)
        paged += answer.json()["days"]
        address = answer.headers.get("link", "")[1:].partition(">")[0]
    assert paged == whole["days"]
    beyond = client.get(f"{USAGE}/daily", params=OCTOBER | {"starting_after": "9999-12-31"})
    assert (beyond.json()["days"], "link" in beyond.headers) == ([], False)
    assert client.get(f"{USAGE}/daily", params=OCTOBER | {"starting_after": "2023-10-01T00:00:00"}).status_code == 400


@ONE_DATABASE
def test_events_of_an_archived_month_are_refused_and_say_where_they_are(small, program, sessions, tmp_path):
    archives.archive(sessions, SYSTEM, FIRST.date(), tmp_path, now=GENERATED)
    client = program()
    answer = client.get(f"{USAGE}/events", params=OCTOBER)
    assert answer.status_code == 400
    assert "archived" in answer.json()["detail"]
    assert ".parquet" in answer.json()["detail"]
    november = {"billing_period_start": "2023-11-01", "billing_period_end": "2023-11-02"}
    assert client.get(f"{USAGE}/events", params=november).json()["events"] == []


def test_events_are_listed_as_they_were_told_and_pages_lead_on(small, program, sessions):
    told = {
        "id": "ä/ b",
        "organization_id": ID,
        "time": "2023-10-01T00:30:00.000001Z",
        "endpoint": "/v1/search",
        "quantity": Decimal("2.50"),
        "properties": {"region": "eu", "cost": Decimal("0.10")},
    }
    with sessions.begin() as session:
        ingestion.record(session, SYSTEM, [told], now=GENERATED, atomic=True)
        withdrawal.withdraw(session, SYSTEM, small, "ä/ b", reason="Sent by mistake", now=GENERATED)
    client = program()
    whole = client.get(f"{USAGE}/events", params=OCTOBER).json()
    assert (whole["organization_id"], whole["count"]) == (ID, 3)
    assert [event["id"] for event in whole["events"]] == ["call-0", "ä/ b", "call-1"]
    assert whole["events"][1] == {
        "id": "ä/ b",
        "organization_id": ID,
        "customer_ref": "EXAMPLE",
        "time": "2023-10-01T00:30:00.000001",
        "meter": "api_calls",
        "user": "",
        "endpoint": "/v1/search",
        "response_time": None,
        "quantity": 2.5,
        "properties": {"cost": 0.10, "region": "eu"},
        "bucket": None,
        "received_at": "2023-11-01T10:00:00",
        "late": False,
        "withdrawn_at": "2023-11-01T10:00:00",
        "withdrawn_reason": "Sent by mistake",
    }
    assert whole["events"][0] | {"id": "call-1", "time": "2023-10-01T01:00:00"} == whole["events"][2]

    paged, address = [], f"{USAGE}/events?limit=1&billing_period_start=2023-10-01&billing_period_end=2023-10-31"
    while address:
        answer = client.get(address)
        paged += answer.json()["events"]
        address = answer.headers.get("link", "")[1:].partition(">")[0]
    assert paged == whole["events"]
    assert client.get(f"{USAGE}/events", params=OCTOBER | {"user": "ana"}).json()["count"] == 2
    assert client.get(f"{USAGE}/events", params=OCTOBER | {"user": "nobody"}).json()["events"] == []
    unknown = client.get(f"{USAGE}/events", params=OCTOBER | {"starting_after": "call-9"})
    assert (unknown.status_code, unknown.json()["fields"]) == (400, {"starting_after": "names nothing in this list"})


def test_organizations_are_listed_with_their_plans_and_paged(small, program):
    client = program("finance")
    first, second = (
        {"id": ID, "customer_ref": "EXAMPLE", "name": "Example Corp", "subscription_tier": "basic"},
        {"id": OTHER, "customer_ref": "OTHER", "name": "Other", "subscription_tier": "none"},
    )
    assert client.get("/api/v1/organizations").json() == {"organizations": [first, second], "count": 2}
    page = client.get("/api/v1/organizations?limit=1")
    assert page.json() == {"organizations": [first], "count": 1}
    following = client.get(page.headers["link"][1:].partition(">")[0])
    assert (following.json()["organizations"], "link" in following.headers) == ([second], False)
    assert client.get("/api/v1/organizations?customer_ref=OTHER").json()["organizations"] == [second]
    bound = program("finance", customer_id=small)
    assert bound.get("/api/v1/organizations").json()["organizations"] == [first]
    for uuid in (OTHER, UNKNOWN):
        assert bound.get(f"/api/v1/organizations?starting_after={uuid}").status_code == 400
    assert bound.get("/api/v1/organizations?customer_ref=OTHER").json()["count"] == 0


def test_prices_of_twelve_decimals_and_whole_amounts_are_written_out(sessions, program):
    with sessions.begin() as session:
        customer_id = an_organization(session)
        agreed = terms(0, "0.000000000001")
        plans.put_on(session, SYSTEM, customer_id, a_plan(session, "tiny", agreed), valid_from=FIRST.date(), now=NOW)
        called(session, ID, [FIRST])
    text = program().get(BILLING, params=OCTOBER).text
    assert '"overage_calls":1,"price_per_call":0.000000000001,"total_cost":0,' in text
