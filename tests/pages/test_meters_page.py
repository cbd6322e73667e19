"""Meters and their buckets, on the page of plans; and what a month would have cost on a plan."""

from datetime import UTC, date, datetime

import pytest

from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.metering import ingestion, meters
from billing_core.metering.meters import MeterRow
from billing_core.metering.models import Aggregation
from billing_core.plans import service as plans
from pages.ui import formats
from tests.pages.as_read import as_read
from tests.pages.pressing import press, tick
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer

pytestmark = pytest.mark.slow
METERS = {"plans_tab": "Meters"}


@pytest.fixture
def storage(sessions) -> None:
    """A meter with one bucket."""
    with sessions.begin() as session:
        facts = {"name": "Storage", "aggregation": Aggregation.SUM, "unit": "GB"}
        meters.create(session, SYSTEM, code="storage", now=NOW, **facts)
        meters.add_bucket(
            session, SYSTEM, "storage", code="cold", name="Cold", filters={"tier": ["cold", "5"], "size": [5]}, now=NOW
        )


def kept(sessions, code: str) -> MeterRow:
    with sessions() as session:
        return next(row for row in meters.rows(session, SYSTEM) if row.code == code)


@EVERY_ROLE
def test_meters_are_listed_and_open_into_their_buckets(page_as, storage, role):
    page = page_as(role).visit("plans.py", **METERS)
    columns = ["Name", "What it makes of its events", "Unit", "Buckets"]
    assert page.dataframe[0].value[columns].values.tolist() == [
        ["API calls", "How many events there are", "call", "0"],
        ["Storage", "The sum of their quantities", "GB", "1"],
    ]
    page = press(page, "Open", row=1)

    assert not page.exception
    buckets = page.dataframe[1].value
    assert buckets[["Bucket", "Name", "Takes events with", "State"]].values.tolist() == [
        ["cold", "Cold", 'size: 5 · tier: "5", cold', "In use"]
    ]
    assert ("Retire" in buckets.columns) == (role == "admin")


def test_an_admin_creates_a_meter_of_unique_values(page_as, sessions):
    page = page_as("admin").visit("plans.py", **METERS)
    page.button(key="new_meter").click().run()
    page.selectbox(key="meter_aggregation").set_value(Aggregation.UNIQUE)
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="new_meter").click().run()
    for key, text in {"code": "seats", "name": "Seats", "unit": "seat", "unique_of": "seat"}.items():
        page.text_input(key=f"meter_{key}").set_value(text)
    page.button(key="new_meter").click()
    page.button(key="create_meter").click().run()

    assert not page.exception
    made = kept(sessions, "seats")
    assert (made.name, made.aggregation, made.unique_of, made.unit) == ("Seats", Aggregation.UNIQUE, "seat", "seat")


def test_a_bucket_is_added_by_the_properties_of_its_events(page_as, sessions, storage):
    page = page_as("admin").visit("plans.py", meter="storage", **METERS)
    page.button(key="new_bucket").click().run()
    page.text_input(key="bucket_code").set_value("hot")
    page.text_input(key="bucket_name_new").set_value("Hot")
    page.text_area(key="bucket_filters_new").set_value('tier: hot, warm\nsize: 1, 2.5, true, "3"')
    page.button(key="new_bucket").click()
    page.button(key="save_bucket").click().run()

    assert not page.exception
    hot = next(one for one in kept(sessions, "storage").buckets if one.code == "hot")
    assert hot.filters == {"size": ['"3"', "1", "2.5", "true"], "tier": ['"hot"', '"warm"']}


@pytest.mark.parametrize(
    ("typed", "why"),
    [("tier", "not such as region: eu, us"), ("a: 1\na: 2", "each property once"), ("a: [1]", "texts")],
)
def test_filters_that_cannot_be_are_refused_in_the_dialog(page_as, sessions, storage, typed, why):
    page = page_as("admin").visit("plans.py", meter="storage", **METERS)
    page.button(key="new_bucket").click().run()
    page.text_input(key="bucket_code").set_value("hot")
    page.text_input(key="bucket_name_new").set_value("Hot")
    page.text_area(key="bucket_filters_new").set_value(typed)
    page.button(key="new_bucket").click()
    page.button(key="save_bucket").click().run()

    assert why in as_read(page.error[0].value)
    assert len(kept(sessions, "storage").buckets) == 1


def test_a_bucket_is_changed_and_retired_and_its_meter_renamed(page_as, sessions, storage):
    page = page_as("admin").visit("plans.py", meter="storage", **METERS)
    (bucket,) = kept(sessions, "storage").buckets
    table = f"buckets_{kept(sessions, 'storage').id}"
    page = tick(page, row=0, table=1)
    page.button(key=f"{table}_Change_of_ticked").click().run()
    assert page.text_area(key=f"bucket_filters_{bucket.id}").value == 'size: 5\ntier: "5", cold'
    page.text_input(key=f"bucket_name_{bucket.id}").set_value("Very cold")
    page.button(key=f"{table}_Change_of_ticked").click()
    page.button(key="save_bucket").click().run()
    assert not page.exception
    assert [(one.name, one.filters) for one in kept(sessions, "storage").buckets] == [("Very cold", bucket.filters)]

    page = page_as("admin").visit("plans.py", meter="storage", **METERS)
    page = tick(page, row=0, table=1)
    page.button(key=f"{table}_Retire_of_ticked").click().run()
    page.button(key=f"{table}_Retire_of_ticked").click()
    page.button(key="retire_bucket").click().run()
    assert not page.exception
    assert kept(sessions, "storage").buckets[0].retired_at is not None

    page = page_as("admin").visit("plans.py", meter="storage", **METERS)
    page.button(key="rename_meter").click().run()
    page.text_input(key=f"meter_unit_{kept(sessions, 'storage').id}").set_value("TB")
    page.button(key="rename_meter").click()
    page.button(key="save_meter").click().run()
    assert not page.exception
    assert kept(sessions, "storage").unit == "TB"


@EVERY_ROLE
def test_a_plan_tells_what_a_month_would_have_cost_on_it(page_as, sessions, role):
    """Five calls of last month: two are included and one more costs 1.00. On the other plan all cost 0.50."""
    last_month = Period.last_month(utc_now().date())
    with sessions.begin() as session:
        acme = a_customer(session, name="Acme Corp", priced=False)
        a_customer(session, "BOLT", currency="EUR", priced=False)
        now = a_plan(session, "now", terms(2, "1"))
        a_plan(session, "other", terms(0, "0.5"))
        plans.put_on(session, SYSTEM, acme, now, valid_from=date(2026, 1, 1), now=NOW)
        at = datetime(last_month.start.year, last_month.start.month, 5, 12, tzinfo=UTC).isoformat()
        events = [{"id": str(number), "customer_ref": "ACME", "time": at} for number in range(5)]
        ingestion.record(session, SYSTEM, events, now=utc_now(), atomic=True)
    page = page_as(role).visit("plans.py", plan="other", plan_tab="What a month would have cost")

    assert not page.exception
    told = {card.label: card.value.replace(formats.NO_BREAK_SPACE, " ") for card in page.metric}
    assert told == {"It cost": "3.00 USD", "On version 1": "2.50 USD", "Difference": "-0.50 USD"}
    columns = ["Organization", "Calls", "It cost", "On this version", "Difference"]
    assert page.dataframe[0].value[columns].values.tolist() == [["Acme Corp", "5", "3.00", "2.50", "-0.50"]]


def test_a_plan_in_a_currency_of_nobody_says_so(page_as, sessions):
    with sessions.begin() as session:
        a_plan(session, "yen", terms(currency="JPY", price="29"))
    page = page_as("finance").visit("plans.py", plan="yen", plan_tab="What a month would have cost")
    assert not page.exception
    assert "Nobody who is billed in JPY used anything" in page.info[0].value
