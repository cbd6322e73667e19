"""The overview, as each role sees it."""

from datetime import date

import pytest
import streamlit as st

from billing_core.dates import Period, utc_now
from billing_core.identity import Role, actor_with
from billing_core.views import service
from pages.ui import formats
from tests.database.counting import statements
from tests.pages.filled import HOSTILE, fill
from tests.pages.roles import EVERY_ROLE
from tests.payments.books import a_customer, a_draft, an_open_invoice
from tests.reports.company import an_order, billed

pytestmark = pytest.mark.slow


def values(page) -> list[tuple[str, str]]:
    return [(card.label, card.value.replace(formats.NO_BREAK_SPACE, " ")) for card in page.metric]


def of_march(page):
    """The overview of March 2026, whatever today is."""
    page.selectbox(key="period").set_value("Custom").run()
    return page.date_input(key="period_days").set_value(("2026-03-01", "2026-03-31")).run()


@EVERY_ROLE
def test_an_empty_company_is_told_what_to_do_next(page_as, role):
    page = page_as(role).visit()

    assert not page.exception
    assert page.info[0].value == "Nothing has been billed yet. These three steps lead to the first report."
    lacks = "Invoices of My business would lack our address, our tax number, our bank details."
    assert (lacks in [one.value for one in page.caption]) is (role == "admin")
    buttons = {button.label for button in page.main.button}
    assert {"Import files", "Open rate cards"} <= buttons if role == "admin" else "Import files" not in buttons
    assert ("Generate reports" in buttons) == (role != "finance")
    assert values(page) == [
        ("Billed", "0.00 USD"),
        ("Reports", "0"),
        ("Orders billed", "0"),
        ("Open questions", "0"),
        ("Unbilled orders", "0"),
    ]
    assert not page.success, "nothing was done yet that could be praised"


def test_where_there_are_invoices_it_is_not_said_that_nothing_was_billed(page_as, sessions):
    with sessions.begin() as session:
        a_draft(session, customer := a_customer(session))
    assert page_as("admin").visit().info[0].value.startswith("Nothing has been billed yet.")
    with sessions.begin() as session:
        an_open_invoice(session, customer)
    page = page_as("admin").visit()

    assert not page.exception
    assert page.info[0].value == "No orders have been billed yet. These three steps lead to the first report."


@EVERY_ROLE
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

    assert any("1 order of closed months not on any report" in text.value for text in page.markdown)
    assert any("1 order in draft" in text.value for text in page.markdown)
    assert page.button(key="settle_unbilled_orders").label == "Generate reports"
    assert "settle_draft_orders" not in {button.key for button in page.button}, "a manager does not import"


def test_before_anything_was_known_every_figure_is_nothing(page_as, sessions):
    fill(sessions)
    page = of_march(page_as("finance").visit())
    page.date_input(key="known").set_value("2026-01-15").run()

    assert not page.exception
    assert values(page)[0] == ("Billed", "0.00 USD")


def test_a_period_without_reports_leads_to_the_newest_one(page_as, sessions):
    fill(sessions)
    page = page_as("finance").visit()
    page.selectbox(key="period").set_value("Custom").run()
    page.date_input(key="period_days").set_value(("1997-05-01", "1997-05-31")).run()
    assert values(page)[0] == ("Billed", "0.00 USD")
    assert "Nothing was billed in May 1997. The newest report ends on 03/31/2026." in page.info[0].value

    page.button(key="newest_month").click().run()

    assert not page.exception
    assert page.selectbox(key="period").value == "Custom"
    assert values(page)[:2] == [("Billed", "7.00 EUR"), ("Billed", "8.00 USD")]
    assert "newest_month" not in {button.key for button in page.button}


def test_a_saved_view_opens_with_its_period_and_its_day(page_as, sessions):
    fill(sessions)
    visitor = page_as("finance")
    finance = actor_with(Role.FINANCE, user_id=visitor.user_id, name="Fatima")
    query = "period=Custom&period_days=2026-03-01&period_days=2026-03-31&known=2026-01-15"
    with sessions.begin() as session:
        service.save(session, finance, "overview", name="March", query=query, now=utc_now())
    page = visitor.visit()
    next(button for button in page.button if button.label == "March").click().run()

    assert not page.exception
    assert page.date_input(key="period_days").value == (date(2026, 3, 1), date(2026, 3, 31))
    assert page.date_input(key="known").value == date(2026, 1, 15)


def test_who_is_bound_to_a_customer_is_led_to_its_own_newest_report(page_as, sessions):
    filled = fill(sessions)
    with sessions.begin() as session:
        an_order(session, filled.acme, "A-1", on=date(2026, 4, 2))
        billed(session, filled.acme, Period(date(2026, 4, 1), date(2026, 4, 30)))
    page = page_as("finance", customer_id=filled.bolt).visit()
    page.selectbox(key="period").set_value("Custom").run()
    page.date_input(key="period_days").set_value(("1997-05-01", "1997-05-31")).run()

    assert "The newest report ends on 03/31/2026." in page.info[0].value


def test_the_page_says_of_which_time_each_part_is(page_as, sessions):
    fill(sessions)
    page = of_march(page_as("finance").visit())
    captions = [caption.value for caption in page.caption]

    assert any(text.startswith("Reports that end in March 2026, and their open questions.") for text in captions)
    assert "All time, regardless of the period chosen above." in captions
    assert any("A report belongs to the month in which it ends" in text for text in captions)


def test_the_page_asks_the_database_little_and_again_only_what_may_have_changed(page_as, sessions):
    fill(sessions)
    visitor = page_as("finance")
    page = of_march(visitor.visit())
    st.cache_data.clear()
    with statements(sessions.engine) as first:
        page.run()
    with statements(sessions.engine) as again:
        page.run()

    # Who is signed in, whether anything changed (the frame, the page, its two parts with charts), and the reads, of
    # which all cards and all that needs attention are one, but for payment terms, which are read by the program.
    assert len(first) <= 17
    assert len(again) <= 5
