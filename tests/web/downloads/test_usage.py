"""The list of organizations' usage as a file, as a browser asks for it."""

from datetime import UTC, date, datetime

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
