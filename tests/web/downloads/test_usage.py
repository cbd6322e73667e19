"""The list of organizations' usage and one customer's events as files, as a browser asks for them."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing_core.identity import SYSTEM, Role
from billing_core.metering import ingestion
from billing_core.plans import service as plans
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer
from tests.web.downloading import get, read, signed_in


@pytest.fixture
def used(served) -> dict[str, int]:
    """EXTRA made three calls in March 2026 of which one is included, 0.50 USD for each more; FREE one, on no plan."""
    with served.begin() as session:
        ids = {ref: a_customer(session, ref, name=ref.title(), priced=False) for ref in ("EXTRA", "FREE")}
        plan = a_plan(session, "one", terms(1, "0.5"))
        plans.put_on(session, SYSTEM, ids["EXTRA"], plan, valid_from=date(2026, 1, 1), now=NOW)
        at = datetime(2026, 3, 10, tzinfo=UTC).isoformat()
        events = [{"id": f"{ref}{number}", "customer_ref": ref, "time": at} for ref in ids for number in range(3)][:4]
        assert (
            ingestion.record(session, SYSTEM, events, now=datetime(2026, 4, 1, tzinfo=UTC), atomic=True).accepted == 4
        )
    return ids


def test_the_file_has_what_the_page_shows(served, used):
    rows = read(get("/downloads/usage.csv?month=2026-03-01", signed_in(served, Role.MANAGER)))

    names = (
        "customer_name",
        "plan",
        "month",
        "calls",
        "included_calls",
        "overage_calls",
        "cost",
        "currency",
        "questions",
    )
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("Extra", "one", "2026-03", "3", "1", "2", "1.00", "USD", "0"),
        ("Free", "", "2026-03", "1", "0", "0", "", "USD", "1"),
    ]
    assert {row["forecast_calls"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ("&text=free", ["Free"]),
        ("&plan=one", ["Extra"]),
        ("&allowance=exceeded", ["Extra"]),
        ("&allowance=will_exceed", []),
        ("&order_by=-name", ["Free", "Extra"]),
    ],
)
def test_the_file_respects_the_pages_filters(served, used, filters, names):
    rows = read(get(f"/downloads/usage.csv?month=2026-03-15{filters}", signed_in(served, Role.MANAGER)))
    assert [row["customer_name"] for row in rows] == names


@pytest.mark.parametrize(
    "query", ["", "?month=March", "?month=2026-03-01&allowance=half", "?month=2026-03-01&order_by=x"]
)
def test_what_cannot_be_is_refused(served, used, query):
    assert get(f"/downloads/usage.csv{query}", signed_in(served, Role.MANAGER)).status_code == 400


def test_only_who_may_export_gets_the_file_and_whoever_is_bound_its_own_row_alone(served, used):
    address = "/downloads/usage.csv?month=2026-03-01"
    assert get(address, signed_in(served, Role.FINANCE)).status_code == 403
    rows = read(get(address, signed_in(served, Role.MANAGER, customer_id=used["FREE"])))
    assert [row["customer_name"] for row in rows] == ["Free"]


def events(customer_id: int, name: str = "csv", start: str = "2026-03-01", end: str = "2026-03-31") -> str:
    return f"/downloads/usage-events.{name}?customer_id={customer_id}&start_date={start}&end_date={end}"


def test_events_are_two_files_with_the_same_facts(served, used):
    with served.begin() as session:
        hostile = {"id": "=1+1", "customer_ref": "EXTRA", "time": "2026-03-31T23:59:59Z", "user": '@SUM("A1")'}
        told = {"endpoint": "-cmd", "response_time": Decimal("0.25"), "properties": {"region": "eu"}}
        ingestion.record(session, SYSTEM, [hostile | told], now=datetime(2026, 4, 1, tzinfo=UTC), atomic=True)
    manager = signed_in(served, Role.MANAGER)
    answer = get(events(used["EXTRA"], "ndjson"), manager)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["id"] for line in lines] == ["EXTRA0", "EXTRA1", "EXTRA2", "=1+1"]
    assert (lines[-1]["user"], lines[-1]["endpoint"]) == ('@SUM("A1")', "-cmd")

    rows = read(get(events(used["EXTRA"]), manager))
    assert list(rows[0]) == list(lines[0])
    assert [row["time"] for row in rows] == [line["time"] for line in lines]
    # A spreadsheet takes none of them for a formula.
    assert [rows[-1][name] for name in ("id", "user", "endpoint")] == ["'=1+1", '\'@SUM("A1")', "'-cmd"]
    assert (rows[-1]["response_time"], rows[-1]["quantity"], rows[-1]["late"]) == ("0.25", "1", "false")
    assert json.loads(rows[-1]["properties"]) == {"region": "eu"}


def test_events_are_those_of_the_days(served, used):
    manager = signed_in(served, Role.MANAGER)
    assert len(read(get(events(used["EXTRA"], start="2026-03-10", end="2026-03-10"), manager))) == 3
    assert read(get(events(used["EXTRA"], start="2026-03-11"), manager)) == []


@pytest.mark.parametrize("query", ["", "?customer_id=1", "?customer_id=x&start_date=2026-03-01&end_date=2026-03-31"])
@pytest.mark.parametrize("name", ["csv", "ndjson"])
def test_events_of_no_span_or_nobody_are_refused(served, used, name, query):
    manager = signed_in(served, Role.MANAGER)
    assert get(f"/downloads/usage-events.{name}{query}", manager).status_code == 400
    assert get(events(used["EXTRA"], name, "2026-03-02", "2026-03-01"), manager).status_code == 400
    assert get(events(used["EXTRA"], name, end="9999-12-31"), manager).status_code == 400
    assert get(events(999_999, name), manager).status_code == 404


@pytest.mark.parametrize("name", ["csv", "ndjson"])
def test_events_are_for_those_who_may_export_and_see_the_customer(served, used, name):
    assert get(events(used["EXTRA"], name), signed_in(served, Role.FINANCE)).status_code == 403
    bound = signed_in(served, Role.MANAGER, customer_id=used["FREE"])
    assert get(events(used["FREE"], name), bound).status_code == 200
    assert get(events(used["EXTRA"], name), bound).status_code == 404
