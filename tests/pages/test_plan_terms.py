"""What subscriptions need of a plan, on its page: shown for each version, and typed for the next one."""

from dataclasses import replace
from decimal import Decimal

import pytest

from billing_core.identity import SYSTEM
from billing_core.metering import meters
from billing_core.metering.models import Aggregation
from billing_core.plans import parts, queries, service
from billing_core.plans.models import BillingTiming, PlanInterval, TrialEnd
from billing_core.plans.prices import Metered
from billing_core.plans.pricing import Price, Scheme, Tier
from billing_core.plans.terms import AddOn, Amounts, Phase, Terms
from tests.pages.as_read import as_read
from tests.pages.plans import faults
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import NOW

pytestmark = pytest.mark.slow

D = Decimal
PLAIN = Terms("USD", D(29), 0, D(0))
ALL = Terms(
    "USD",
    D("29.99"),
    0,
    D(0),
    PlanInterval.MONTH,
    3,
    BillingTiming.ARREARS,
    seat_price=D("4.50"),
    included_seats=3,
    trial_end=TrialEnd.PAUSE,
    ends_after=24,
    further={"EUR": Amounts(D("27.50"), D(4))},
    add_ons=(AddOn("support", "Premium support", {"USD": D(10), "EUR": D("9.01")}),),
    phases=(Phase(1, D(0)), Phase(2, D(50))),
)
NBSP = "\N{NO-BREAK SPACE}"


def a_plan(sessions, agreed=PLAIN, charged=None):
    with sessions.begin() as session:
        service.create(session, SYSTEM, code="team", name="Team", agreed=agreed, charged=charged, now=NOW)


def latest(sessions) -> tuple[int, Terms]:
    with sessions() as session:
        found = queries.latest(session, SYSTEM, "team")
        return found.number, parts.terms_of(session, found.id)


def facts(page) -> dict[str, str]:
    """The terms under their labels."""
    plain = [as_read(one.value).replace(NBSP, " ") for one in page.main if one.type in ("caption", "markdown")]
    labels = ("Price", "Billed", "Seats", "Ends", "After a trial without a payment method")
    return {label: plain[plain.index(label) + 1] for label in labels}


def table(page, column: str) -> list[dict[str, object]]:
    return next(one.value for one in page.dataframe if column in one.value.columns).to_dict("records")


@EVERY_ROLE
def test_the_terms_are_shown_with_the_plan(page_as, sessions, role):
    a_plan(sessions, ALL)
    page = page_as(role).visit("plans.py", plan="team")

    assert not page.exception
    assert facts(page) == {
        "Price": "29.99 USD every 3 months",
        "Billed": "In arrears",
        "Seats": "3 included, then 4.50 USD each",
        "Ends": "After 24 periods",
        "After a trial without a payment method": "It is paused",
    }
    assert table(page, "A seat") == [{"Currency": "EUR", "Price": "27.50", "A seat": "4.00"}]
    assert table(page, "Code") == [
        {"Code": "support", "Name": "Premium support", "One, USD": "10.00", "One, EUR": "9.01"}
    ]
    # Half of 29.99 is 14.995, rounded up.
    assert table(page, "Periods") == [
        {"Periods": "1", "Percent of the price": "0", "Due, USD": "0.00"},
        {"Periods": "2 – 3", "Percent of the price": "50", "Due, USD": "15.00"},
        {"Periods": "From 4 on", "Percent of the price": "100", "Due, USD": "29.99"},
    ]


def test_a_plain_plan_says_so_in_a_few_words_and_has_no_empty_tables(page_as, sessions):
    a_plan(sessions)
    page = page_as("finance").visit("plans.py", plan="team")
    assert facts(page) == {
        "Price": "29.00 USD a month",
        "Billed": "In advance",
        "Seats": "Are not counted",
        "Ends": "When it is canceled",
        "After a trial without a payment method": "It is canceled",
    }
    assert len(page.dataframe) == 1


def test_a_plan_that_ends_with_its_phases_is_never_due_in_full(page_as, sessions):
    a_plan(sessions, replace(PLAIN, ends_after=3, phases=(Phase(3, D(50)),)))
    page = page_as("finance").visit("plans.py", plan="team")
    assert [row["Periods"] for row in table(page, "Periods")] == ["1 – 3"]


def test_the_terms_of_a_former_version_can_be_looked_at(page_as, sessions):
    a_plan(sessions, ALL)
    with sessions.begin() as session:
        service.add_version(session, SYSTEM, "team", PLAIN, now=NOW)
    page = page_as("finance").visit("plans.py", plan="team")
    assert facts(page)["Price"] == "29.00 USD a month"
    page.selectbox(key="terms_version").set_value(1).run()
    assert facts(page)["Price"] == "29.99 USD every 3 months"


def typed(page_as, fields, lines):
    """The dialog for a version after the first, with this in its fields and tables; pressed."""
    page = page_as("admin").visit("plans.py", plan="team")
    page.button(key="new_version").click().run()
    for name, value in fields.items():
        kind, key = name.split(".")
        getattr(page, kind)(key=f"plan_{key}_team_1").set_value(value)
    for name, added in lines.items():
        added_rows = {"edited_rows": {}, "added_rows": added, "deleted_rows": []}
        page.session_state[f"plan_{name}_team_1"] = added_rows
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="new_version").click()
    page.button(key="create_version").click().run()
    assert not page.exception
    return page


SUPPORT = {"Code": "support", "Name": "Premium support"}


def test_everything_is_typed_in_one_dialog(page_as, sessions):
    a_plan(sessions)
    page = typed(
        page_as,
        {
            "text_input.price": "29.99",
            "number_input.interval_count": 3,
            "selectbox.timing": BillingTiming.ARREARS,
            "text_input.seat_price": "4.50",
            "text_input.included_seats": "3",
            "text_input.ends_after": "24",
            "selectbox.trial_end": TrialEnd.PAUSE,
        },
        {
            "add_ons": [{**SUPPORT, "Price": "10"}, {**SUPPORT, "Price": "9.01", "Currency": "eur"}],
            "phases": [{"Periods": "1", "Percent of the price": "0"}, {"Periods": "2", "Percent of the price": "50"}],
            "further": [{"Currency": "EUR", "Price": "27.50", "A seat costs": "4"}],
        },
    )
    assert faults(page) == []
    assert latest(sessions) == (2, ALL)


def test_another_version_begins_with_all_terms_of_the_latest(page_as, sessions):
    a_plan(sessions, ALL)
    page = typed(page_as, {"text_input.price": "35"}, {})
    assert faults(page) == []
    assert latest(sessions) == (2, replace(ALL, price=D(35)))


def test_terms_that_somebody_else_has_changed_meanwhile_are_not_changed_back(page_as, sessions, monkeypatch):
    a_plan(sessions, ALL)
    add_version = service.add_version

    def after_another(session, actor, code, agreed, **facts):
        add_version(session, SYSTEM, code, replace(ALL, price=D(99)), now=NOW)
        return add_version(session, actor, code, agreed, **facts)

    monkeypatch.setattr(service, "add_version", after_another)
    page = typed(page_as, {"text_input.price": "35"}, {})
    assert "The plan team has version 2 by now" in page.error[0].value


def test_what_costs_something_in_no_currency_of_its_own_takes_the_plans(page_as, sessions):
    a_plan(sessions, PLAIN)
    typed(page_as, {"selectbox.currency": "CHF"}, {"add_ons": [{**SUPPORT, "Price": "10"}]})
    assert latest(sessions)[1].add_ons == (AddOn("support", "Premium support", {"CHF": D(10)}),)


WRONG = {
    "no interval": ({"number_input.interval_count": 121}, {}, "Due every must be from 1 to 120", "Price"),
    "part of a seat": ({"text_input.included_seats": "1.5"}, {}, "Included seats must be a whole number", "Seats"),
    "seats for nothing": (
        {"text_input.included_seats": "3"},
        {},
        "Included seats mean nothing where a seat has no price",
        "Seats",
    ),
    "an end at once": (
        {"text_input.ends_after": "0"},
        {},
        "Ends after so many periods must be from 1 to 10,000",
        "Phases",
    ),
    "an add-on without a price": (
        {},
        {"add_ons": [SUPPORT]},
        "Line 1, price: is needed, or 0 where it costs nothing",
        "Seats",
    ),
    "an add-on twice": (
        {},
        {"add_ons": [{**SUPPORT, "Price": "1"}, {**SUPPORT, "Price": "2"}]},
        "Line 2, currency: “support” has a price in USD already",
        "Seats",
    ),
    "an add-on in another currency": (
        {},
        {"add_ons": [{**SUPPORT, "Price": "1", "Currency": "EUR"}]},
        "Prices of “support” are needed in USD, and in no other",
        "Seats",
    ),
    "an add-on in none": (
        {},
        {"add_ons": [{**SUPPORT, "Price": "1", "Currency": "EURO"}]},
        "“EURO” is not a currency code such as USD or EUR",
        "Seats",
    ),
    "an add-on without a code": (
        {},
        {"add_ons": [{"Name": "Support", "Price": "1"}]},
        "Line 1, code: is empty or too long",
        "Seats",
    ),
    "a phase of nothing": (
        {},
        {"phases": [{"Periods": "2"}]},
        "Line 1, percent of the price: is needed, or 0 where nothing is due",
        "Phases",
    ),
    "half a phase": (
        {},
        {"phases": [{"Periods": "0.5", "Percent of the price": "10"}]},
        "Line 1, periods: must be a whole number",
        "Phases",
    ),
    "longer than the plan": (
        {"text_input.ends_after": "2"},
        {"phases": [{"Periods": "3", "Percent of the price": "10"}]},
        "Phases last longer than the plan, which ends after 2 periods",
        "Phases",
    ),
    "a currency that there is not": (
        {},
        {"further": [{"Currency": "XYZ", "Price": "1"}]},
        "“XYZ” is not a currency code such as USD or EUR",
        "Further",
    ),
    "a currency twice": (
        {},
        {"further": [{"Currency": "EUR", "Price": "1"}, {"Currency": "eur", "Price": "1"}]},
        "Line 2, currency: is there already",
        "Further",
    ),
    "part of a yen": (
        {},
        {"further": [{"Currency": "JPY", "Price": "0.5"}]},
        "Line 1, price: has more than 0 decimals",
        "Further",
    ),
    "a seat in one currency alone": (
        {"text_input.seat_price": "4"},
        {"further": [{"Currency": "EUR", "Price": "1"}]},
        "Line 1, a seat costs: is needed in each currency or in none",
        "Further",
    ),
    "usage in several currencies": (
        {"text_input.per_call": "0.01"},
        {"further": [{"Currency": "EUR", "Price": "1"}]},
        "Further currencies cannot be had where usage has a price, which is in USD alone: "
        "make a plan for each currency",
        "Further",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_at_its_field_and_in_which_part_and_nothing_is_saved(page_as, sessions, what):
    a_plan(sessions)
    fields, lines, reason, part = WRONG[what]
    found = faults(typed(page_as, fields, lines))
    assert found[0] == reason
    assert found[-1].startswith(f"Something is wrong under “{part}")
    assert latest(sessions) == (1, PLAIN)


def test_prices_of_other_meters_keep_a_plan_in_one_currency(page_as, sessions):
    with sessions.begin() as session:
        meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    a_plan(sessions, charged={Metered("mails"): Price("USD", Scheme.PER_UNIT, (Tier(None, D("0.02")),))})
    found = faults(typed(page_as, {}, {"further": [{"Currency": "EUR", "Price": "1"}]}))
    assert found[0].startswith("Further currencies cannot be had where usage has a price")
    assert latest(sessions) == (1, PLAIN)


def test_another_price_of_usage_leaves_all_other_terms(page_as, sessions):
    alone = replace(ALL, further={}, add_ons=(AddOn("support", "Premium support", {"USD": D(10)}),))
    with sessions.begin() as session:
        meters.create(session, SYSTEM, code="mails", name="Mails", aggregation=Aggregation.SUM, unit="mail", now=NOW)
    a_plan(sessions, alone)
    page = page_as("admin").visit("plans.py", plan="team")
    page.button(key="set_price").click().run()
    page.text_input(key="price_unit_mails_1").set_value("0.02")
    page.button(key="set_price").click()
    page.button(key="save_price").click().run()
    assert not page.exception
    assert latest(sessions) == (2, alone)


def test_another_currency_leaves_what_is_typed_and_asks_for_prices_in_it(page_as, sessions):
    """USD has cents and JPY has none: nothing is rounded on the way."""
    a_plan(sessions, ALL)
    page = page_as("admin").visit("plans.py", plan="team")
    page.button(key="new_version").click().run()
    page.selectbox(key="plan_currency_team_1").set_value("JPY")
    page.button(key="new_version").click().run()
    assert not page.exception
    assert page.text_input(key="plan_seat_price_team_1").value == "4.50"
    assert page.text_input(key="plan_price_team_1").value == "29.99"
    assert "Price has more than 0 decimals" in faults(page)
