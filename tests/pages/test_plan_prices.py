"""What a plan charges for meters besides calls: shown on its page, and set in a next version."""

from decimal import Decimal

import pytest

from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import Aggregation
from billing_core.plans import prices, queries, service
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from tests.pages.as_read import as_read
from tests.pages.plans import faults
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


@pytest.mark.parametrize(
    ("aggregation", "more"),
    [
        (Aggregation.COUNT, "11 only 5.50"),
        # There is no part of a value.
        (Aggregation.UNIQUE, "11 only 5.50"),
        (Aggregation.SUM, "10.000001 only 5.00"),
    ],
)
def test_a_volume_price_that_makes_more_cheaper_is_pointed_out(page_as, sessions, plan, aggregation, more):
    """From the next quantity on that there is."""
    with sessions.begin() as session:
        meters.create(session, SYSTEM, code="used", name="Used", aggregation=aggregation, unit="piece", now=NOW)
    charge(sessions, {Metered("used"): CHEAPER})
    page = page_as("admin").visit("plans.py", plan="basic")
    page.button(key="set_price").click().run()
    assert not page.warning
    page.selectbox(key="price_of").set_value(Metered("used"))
    page.button(key="set_price").click().run()

    assert not page.exception
    told = as_read(page.warning[0].value).replace("\N{NO-BREAK SPACE}", " ")
    assert told == f"More would be cheaper: 10 cost 10.00 USD, {more} USD."


UP_TO, PRICE, FEE = "Up to and including", "Price", "Fee"
USD = "USD"
Lines = list[tuple[str, str, str]]


def tier(up_to: str | None, unit_price: str, fee: str = "0") -> Tier:
    return Tier(None if up_to is None else Decimal(up_to), Decimal(unit_price), Decimal(fee))


def typed(page_as, scheme: Scheme, fields: dict[str, str], lines: Lines):
    """The dialog, with this in its fields and in the table of tiers, which has two lines at first."""
    page = page_as("admin").visit("plans.py", plan="basic")
    page.button(key="set_price").click().run()
    page.selectbox(key="price_scheme_storage_1").set_value(scheme)
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="set_price").click().run()
    fill(page, fields)
    if scheme.tiered:
        cells = [dict(zip((UP_TO, PRICE, FEE), line, strict=True)) for line in lines]
        page.session_state["price_tiers_storage_1"] = {
            "edited_rows": dict(enumerate(cells[:2])),
            "added_rows": cells[2:],
            "deleted_rows": list(range(len(cells), 2)),
        }
    return save(page)


def fill(page, fields: dict[str, str]) -> None:
    for name, text in fields.items():
        page.text_input(key=f"price_{name}_storage_1").set_value(text)


def save(page):
    page.button(key="set_price").click()
    page.button(key="save_price").click().run()
    assert not page.exception
    return page


def of(scheme: Scheme, *tiers: Tier, **facts: str) -> Price:
    return Price(USD, scheme, tiers, **{name: Decimal(text) for name, text in facts.items()})


TYPED: dict[str, tuple[dict[str, str], Lines, Price]] = {
    "graduated": (
        {"included": "5"},
        [("1,000", "0.02", ""), ("5000", "0.01", "2.50"), ("", "0.005", "")],
        of(Scheme.GRADUATED, tier("1000", "0.02"), tier("5000", "0.01", "2.5"), tier(None, "0.005"), included="5"),
    ),
    "volume": ({}, [("10", "1", ""), ("", "0.5", "")], of(Scheme.VOLUME, tier("10", "1"), tier(None, "0.5"))),
    "package": ({"per": "100", "unit": "3"}, [], of(Scheme.PACKAGE, tier(None, "3"), per="100")),
    "flat per tier": (
        {},
        [("100", "", "5"), ("", "", "9")],
        of(Scheme.GRADUATED, tier("100", "0", "5"), tier(None, "0", "9")),
    ),
    "one tier alone": ({}, [("", "0.25", "")], of(Scheme.VOLUME, tier(None, "0.25"))),
    "minimum commitment": (
        {"unit": "0.1", "minimum": "250"},
        [],
        of(Scheme.PER_UNIT, tier(None, "0.1"), minimum="250"),
    ),
    "per thousand": ({"unit": "0.35", "per": "1000"}, [], of(Scheme.PER_UNIT, tier(None, "0.35"), per="1000")),
    "12 decimals": ({"unit": "0.123456789012"}, [], of(Scheme.PER_UNIT, tier(None, "0.123456789012"))),
}


@pytest.mark.parametrize("kind", TYPED)
def test_each_kind_of_price_is_typed(page_as, sessions, plan, kind):
    fields, lines, wanted = TYPED[kind]
    page = typed(page_as, wanted.scheme, fields, lines)
    assert faults(page) == []
    assert charged(sessions) == (2, {STORAGE: wanted})


TWO = [("10", "1", ""), ("", "0.5", "")]
WRONG: dict[str, tuple[Scheme, dict[str, str], Lines, str]] = {
    "as far": (
        Scheme.VOLUME,
        {},
        [("10", "1", ""), ("10", "0.5", ""), ("", "0.1", "")],
        "Line 2, up to and including: must be greater than in the tier before",
    ),
    "endless too soon": (
        Scheme.GRADUATED,
        {},
        [("", "1", ""), ("", "2", "")],
        "Line 1, up to and including: may be without an end in the last tier alone",
    ),
    "never endless": (
        Scheme.GRADUATED,
        {},
        [("10", "1", ""), ("20", "2", "")],
        "Line 2, up to and including: must be without an end in the last tier",
    ),
    "up to nothing": (Scheme.VOLUME, {}, [("0", "1", ""), TWO[1]], "Line 1, up to and including: must be more than 0"),
    "negative": (Scheme.VOLUME, {}, [("10", "-1", ""), TWO[1]], "Line 1, price: must be from 0 to 1,000,000"),
    "NaN": (Scheme.VOLUME, {}, [("NaN", "1", ""), TWO[1]], "“NaN” is not a number such as 1234.50"),
    "no price": (Scheme.VOLUME, {}, [("10", "", ""), TWO[1]], "Line 1, price: is needed, or 0 where it costs nothing"),
    "13 decimals": (
        Scheme.GRADUATED,
        {},
        [TWO[0], ("", "0.0000000000001", "")],
        "Line 2, price: has more than 12 decimals",
    ),
    "part of a cent": (Scheme.GRADUATED, {}, [("10", "1", "0.001"), TWO[1]], "Line 1, fee: has more than 2 decimals"),
    "no tier": (Scheme.GRADUATED, {}, [], "Tiers: there must be 1 to 50"),
    "for nothing": (Scheme.PACKAGE, {"per": "0"}, [], "For how many units must be more than 0"),
    "less than included": (Scheme.PER_UNIT, {"included": "-1"}, [], "Included must be from 0 to 1,000,000,000"),
    "part of a cent at least": (Scheme.VOLUME, {"minimum": "0.001"}, TWO, "At least, USD has more than 2 decimals"),
    "13 decimals each": (Scheme.PER_UNIT, {"unit": "0.0000000000001"}, [], "Price has more than 12 decimals"),
    "1e400": (Scheme.PER_UNIT, {"unit": "1e400"}, [], "“1e400” is not a number such as 1234.50"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_saved(page_as, sessions, plan, what):
    scheme, fields, lines, reason = WRONG[what]
    page = typed(page_as, scheme, fields, lines)
    assert faults(page) == [reason]
    assert charged(sessions) == (1, {})


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_lost_of_what_was_typed(page_as, sessions, plan):
    lines = [("10", "one", ""), ("20", "0.5", "x"), ("", "0.25", "")]
    page = typed(page_as, Scheme.GRADUATED, {"per": "ten", "minimum": "7"}, lines)
    no_number = "is not a number such as 1234.50"
    assert faults(page) == [f"“{text}” {no_number}" for text in ("ten", "one", "x")]
    fill(page, {"per": "10"})
    state = page.session_state["price_tiers_storage_1"]
    kept = [*state["edited_rows"].values(), *state["added_rows"]]
    assert [(line[UP_TO], line[PRICE], line[FEE]) for line in kept] == lines
    right = {0: {**state["edited_rows"][0], PRICE: "1"}, 1: {**state["edited_rows"][1], FEE: ""}}
    page.session_state["price_tiers_storage_1"] = {**state, "edited_rows": right}
    save(page)
    tiers = (tier("10", "1"), tier("20", "0.5"), tier(None, "0.25"))
    assert charged(sessions) == (2, {STORAGE: of(Scheme.GRADUATED, *tiers, per="10", minimum="7")})


def test_what_is_no_number_is_told_and_not_saved(page_as, sessions, plan):
    page = page_as("admin").visit("plans.py", plan="basic")
    page.button(key="set_price").click().run()
    page.text_input(key="price_unit_storage_1").set_value("much")
    page.button(key="set_price").click()
    page.button(key="save_price").click().run()

    assert any("“much” is not a number" in one.value for one in page.markdown)
    assert charged(sessions) == (1, {})
