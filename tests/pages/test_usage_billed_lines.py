"""A billed line of each kind of meter says how its quantity follows from what is shown below."""

import pytest

from billing_core.customers.models import Customer
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, meters
from billing_core.metering.archives import service as archives
from billing_core.metering.models import FROM_EVENTS, Aggregation
from billing_core.plans import service as plans
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.usage import billing
from tests.pages.pressing import press
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer
from tests.usage.test_explaining_meters import LATER, NOVEMBER, D, at

pytestmark = pytest.mark.slow


@pytest.fixture
def acme(sessions) -> int:
    """Of each meter 4 on the third and 9 on the eleventh of November, by two users; billed at 1.00 a unit."""
    one = Price("USD", Scheme.PER_UNIT, (Tier(None, D(1)),))
    with sessions.begin() as session:
        customer_id = a_customer(session, name="Acme Corp", priced=False)
        session.get_one(Customer, customer_id).time_zone = "UTC"
        for kind in FROM_EVENTS:
            meters.create(session, SYSTEM, code=kind.value, name=kind.value, aggregation=kind, unit="unit", now=NOW)
        charged = {Metered(kind.value): one for kind in FROM_EVENTS}
        plans.create(session, SYSTEM, code="basic", name="Basic", agreed=terms(), charged=charged, now=NOW)
        plans.put_on(session, SYSTEM, customer_id, "basic", valid_from=NOVEMBER.start, now=NOW)
        told = [
            {"id": f"{kind}-{day}", "customer_ref": "ACME", "time": at(day).isoformat(), "meter": kind.value}
            | {"user": f"user {day}", "quantity": quantity}
            for kind in FROM_EVENTS
            for day, quantity in ((3, 4), (11, 9))
        ]
        ingestion.record(session, SYSTEM, told, now=LATER, atomic=True)
        billing.bill(session, SYSTEM, customer_id, NOVEMBER, now=LATER, today=LATER.date())
    return customer_id


@pytest.mark.parametrize(
    ("kind", "says", "column", "shown"),
    [
        (Aggregation.MAX, r"Greatest of its days: 9, told by the event “max\-11” of", "Greatest", ["4", "9"]),
        (Aggregation.UNIQUE, "The values that were new on its days add up to 2", "New values", ["1", "1"]),
        (Aggregation.LATEST, "Latest quantity by the end of these days: 9, told by the event", "Latest", ["4", "9"]),
        # Eight days 4, and twenty 9: 212 of 30 days.
        (
            Aggregation.TIME_WEIGHTED_SUM,
            "18,316,800 ÷ 2,592,000 = 7.066667",
            "Quantity × seconds",
            ["2,764,800", "15,552,000"],
        ),
    ],
)
def test_a_line_says_how_its_quantity_follows(page_as, acme, kind, says, column, shown):
    page = page_as("finance").visit("usage.py", organization=str(acme), usage_tab="Invoices")
    page = press(page, "Lines", row=0)
    described = page.dataframe[1].value["Line"].tolist()
    row = next(place for place, words in enumerate(described) if words.startswith(kind.value))
    page = press(page, "Explain", row=row, table=1)
    assert not page.exception
    (told,) = [one.value for one in page.success]
    assert told.startswith(says)
    assert told.endswith("= the figure ✓")
    assert page.dataframe[2].value[column].tolist() == shown


@pytest.mark.parametrize(("kind", "tab", "column"), [("unique", "Values", "Value"), ("latest", "Events", "User")])
def test_a_line_opens_into_single_values_and_events(page_as, acme, kind, tab, column):
    page = page_as("finance").visit("usage.py", organization=str(acme), usage_tab="Invoices")
    page = press(page, "Lines", row=0)
    row = next(n for n, words in enumerate(page.dataframe[1].value["Line"]) if words.startswith(kind))
    page = press(page, "Explain", row=row, table=1)
    page.segmented_control(key="billed_line_of").set_value(tab)
    page = press(page, "Explain", row=row, table=1)
    assert not page.exception
    assert page.dataframe[2].value[column].tolist() == ["user 3", "user 11"]


def test_a_line_of_an_archived_month_says_where_its_events_are(page_as, sessions, tmp_path):
    with sessions.begin() as session:
        customer_id = a_customer(session, "CALLS", name="Calls Inc", priced=False)
        plans.put_on(session, SYSTEM, customer_id, a_plan(session, "calls"), valid_from=NOVEMBER.start, now=LATER)
        told = [{"id": str(day), "customer_ref": "CALLS", "time": at(day).isoformat()} for day in (3, 11)]
        ingestion.record(session, SYSTEM, told, now=LATER, atomic=True)
        billing.bill(session, SYSTEM, customer_id, NOVEMBER, now=LATER, today=LATER.date())
    archives.archive(sessions, SYSTEM, NOVEMBER.start, tmp_path, now=LATER)
    page = page_as("finance").visit("usage.py", organization=str(customer_id), usage_tab="Invoices")
    page = press(page, "Lines", row=0)
    page = press(page, "Explain", row=0, table=1)
    assert not page.info
    page.segmented_control(key="billed_line_of").set_value("Events")
    page = press(page, "Explain", row=0, table=1)
    assert not page.exception
    assert [one.value.endswith("has to be brought back first") for one in page.info] == [True]
