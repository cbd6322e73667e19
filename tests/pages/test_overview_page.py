"""The overview, as each role sees it."""

import pytest

from pages.ui import formats
from tests.pages.filled import HOSTILE, fill

MARCH_DAYS = "2026-03-01"


def values(page) -> list[tuple[str, str]]:
    return [(card.label, card.value.replace(formats.NO_BREAK_SPACE, " ")) for card in page.metric]


def of_march(page):
    """The overview of March 2026, whatever today is."""
    page.selectbox(key="period").set_value("Custom").run()
    return page.date_input(key="period_days").set_value(("2026-03-01", "2026-03-31")).run()


@pytest.mark.parametrize("role", ["finance", "manager", "admin"])
def test_an_empty_company_is_told_what_to_do_next(page_as, role):
    page = page_as(role).visit()

    assert not page.exception
    assert "three steps" in page.info[0].value
    buttons = {button.label for button in page.main.button}
    assert {"Import files", "Open rate cards"} <= buttons if role == "admin" else "Import files" not in buttons
    assert ("Generate reports" in buttons) == (role != "finance")


@pytest.mark.parametrize("role", ["finance", "manager", "admin"])
def test_figures_are_the_sums_of_the_reports_one_card_a_currency(page_as, sessions, role):
    fill(sessions)
    page = of_march(page_as(role).visit())

    assert not page.exception
    assert values(page) == [
        ("Billed", "7.00 EUR"),
        ("Billed", "8.00 USD"),
        ("Average report", "7.00 EUR"),
        ("Average report", "8.00 USD"),
        ("Reports", "2"),
        ("Orders billed", "3"),
        ("Open questions", "0"),
        ("Unbilled orders", "1"),
    ]


def test_a_card_tells_the_change_against_the_period_before(page_as, sessions):
    fill(sessions)
    page = of_march(page_as("finance").visit())

    # February: 12.00 USD; March: 8.00 USD, a third less. Euros were billed for the first time.
    assert [card.delta for card in page.metric if card.label == "Billed"] == [
        f"+7.00{formats.NO_BREAK_SPACE}EUR",
        "-33.3%",
    ]


@pytest.mark.parametrize("role", ["finance", "admin"])
def test_a_figure_opens_into_rows_that_add_up_to_it(page_as, sessions, role):
    fill(sessions)
    page = of_march(page_as(role).visit())
    page.button(key="overview_billed_USD").click().run()

    assert not page.exception
    assert "= the figure" in page.success[0].value
    rows = next(table.value for table in page.dataframe if "What" in table.value.columns)
    assert list(rows["Amount"]) == ["8.00"]
    assert rows["What"][0].startswith(HOSTILE)
    assert bool(page.link_button) == (role == "admin"), "finance reads, but does not export"


def test_who_is_bound_to_a_customer_sees_its_figures_alone(page_as, sessions):
    filled = fill(sessions)
    page = of_march(page_as("finance", customer_id=filled.bolt).visit())

    assert values(page)[0] == ("Billed", "7.00 EUR")
    assert not [label for label, value in values(page) if "USD" in value]


def test_what_needs_a_hand_comes_with_its_action(page_as, sessions):
    fill(sessions)
    page = page_as("manager").visit()

    assert any("1 order of closed months on no report" in text.value for text in page.markdown)
    assert any("1 order in draft" in text.value for text in page.markdown)
    assert page.button(key="settle_unbilled_orders").label == "Generate reports"
    assert "settle_draft_orders" not in {button.key for button in page.button}, "a manager does not import"


def test_before_anything_was_known_every_figure_is_nothing(page_as, sessions):
    fill(sessions)
    page = of_march(page_as("finance").visit())
    page.date_input(key="known").set_value("2026-01-15").run()

    assert not page.exception
    assert values(page)[0] == ("Billed", "0.00 USD")
