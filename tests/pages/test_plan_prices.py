"""What a plan charges for meters besides calls: shown on its page, and set in a next version."""

from decimal import Decimal

import pytest

from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import Aggregation
from billing_core.plans import prices, queries, service
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import NOW, a_plan, terms

pytestmark = pytest.mark.slow

STORAGE, COLD = Metered("storage"), Metered("storage", "cold")
# Ten units cost 10.00, eleven 5.50.
CHEAPER = Price("USD", Scheme.VOLUME, (Tier(Decimal(10), Decimal(1)), Tier(None, Decimal("0.5"))))
PER_UNIT = Price(
    "USD", Scheme.PER_UNIT, (Tier(None, Decimal("0.02"), Decimal(5)),), Decimal(1), Decimal(100), Decimal(7)
)


@pytest.fixture
def plan(sessions) -> str:
    """``basic``, and a meter with a bucket."""
    with sessions.begin() as session:
        facts = {"name": "Storage", "aggregation": Aggregation.COUNT, "unit": "GB"}
        meters.create(session, SYSTEM, code="storage", now=NOW, **facts)
        meters.add_bucket(session, SYSTEM, "storage", code="cold", name="Cold", filters={"tier": ["cold"]}, now=NOW)
        return a_plan(session)


def charge(sessions, charged: dict[Metered, Price]) -> None:
    with sessions.begin() as session:
        service.add_version(session, SYSTEM, "basic", terms(), charged=charged, now=NOW)


def charged(sessions) -> tuple[int, dict[Metered, Price]]:
    """The number of the latest version, and its prices."""
    with sessions() as session:
        latest = queries.latest(session, SYSTEM, "basic")
        return latest.number, prices.of_version(session, latest.id)


@EVERY_ROLE
def test_prices_are_shown_with_the_plan(page_as, sessions, plan, role):
    charge(sessions, {STORAGE: PER_UNIT, COLD: CHEAPER})
    page = page_as(role).visit("plans.py", plan="basic")

    assert not page.exception
    told = next(table.value for table in page.dataframe if "Bucket" in table.value.columns)
    columns = ["Meter", "Bucket", "How", "Price", "Included", "At least", "Currency"]
    assert told[columns].values.tolist() == [
        ["storage", "", "Per unit", "0.02 + 5.00", "100", "7.00", "USD"],
        ["storage", "cold", "Volume", "up to 10: 1.00 · then 0.50", "0", "–", "USD"],
    ]
    assert any(button.label == "Set a price" for button in page.main.button) == (role == "admin")


def test_a_price_is_set_in_a_next_version_that_keeps_the_others(page_as, sessions, plan):
    charge(sessions, {COLD: CHEAPER})
    page = page_as("admin").visit("plans.py", plan="basic")
    page.button(key="set_price").click().run()
    for field, text in {"unit": "0.02", "fee": "5", "included": "100", "minimum": "7"}.items():
        page.text_input(key=f"price_{field}_storage_2").set_value(text)
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="set_price").click()
    page.button(key="save_price").click().run()

    assert not page.exception
    assert charged(sessions) == (3, {STORAGE: PER_UNIT, COLD: CHEAPER})


def test_a_price_is_taken_out_in_a_next_version(page_as, sessions, plan):
    charge(sessions, {STORAGE: PER_UNIT, COLD: CHEAPER})
    page = page_as("admin").visit("plans.py", plan="basic")
    page.button(key="set_price").click().run()
    page.button(key="set_price").click()
    page.button(key="drop_price").click().run()

    assert not page.exception
    assert charged(sessions) == (3, {COLD: CHEAPER})


def test_a_volume_price_that_makes_more_cheaper_is_pointed_out(page_as, sessions, plan):
    charge(sessions, {COLD: CHEAPER})
    page = page_as("admin").visit("plans.py", plan="basic")
    page.button(key="set_price").click().run()
    assert not page.warning
    page.selectbox(key="price_of").set_value(COLD)
    page.button(key="set_price").click().run()

    assert not page.exception
    told = page.warning[0].value.replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")
    assert told == "More would be cheaper: 10 cost 10.00 USD, 11 only 5.50 USD."


def test_what_is_no_number_is_told_and_not_saved(page_as, sessions, plan):
    page = page_as("admin").visit("plans.py", plan="basic")
    page.button(key="set_price").click().run()
    page.text_input(key="price_unit_storage_1").set_value("much")
    page.button(key="set_price").click()
    page.button(key="save_price").click().run()

    assert any("“much” is not a number" in one.value for one in page.markdown)
    assert charged(sessions) == (1, {})
