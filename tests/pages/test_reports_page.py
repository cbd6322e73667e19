"""Reports: browse, and one report."""

from datetime import date

import pytest
from sqlalchemy import select

from billing_core.views.models import SavedView
from pages.ui import formats
from pages.ui.inputs import bulk_selection
from tests.pages.as_read import as_read
from tests.pages.filled import HOSTILE, fill
from tests.pages.roles import EVERY_ROLE
from tests.reports.company import LATER, MARCH, an_order, billed

pytestmark = pytest.mark.slow


def tables_of(page) -> list:
    return [table.value for table in page.dataframe]


@pytest.mark.parametrize("tab", ["Browse", "Generate"])
@EVERY_ROLE
def test_without_reports_the_page_says_what_to_do(page_as, role, tab):
    page = page_as(role).visit("reports.py", tab=tab)

    assert not page.exception
    assert page.info


@EVERY_ROLE
def test_the_list_shows_current_reports_with_their_totals(page_as, sessions, role):
    fill(sessions)
    page = page_as(role).visit("reports.py", reports_sort="Total ↓")

    assert not page.exception
    assert tables_of(page)[0][["Customer", "Total", "Currency"]].values.tolist() == [
        [HOSTILE, "12.00", "USD"],
        [HOSTILE, "8.00", "USD"],
        ["Bolt GmbH", "7.00", "EUR"],
    ]
    total = next(text.value for text in page.caption if text.value.startswith("In total"))
    assert total.replace(formats.NO_BREAK_SPACE, " ") == "In total 7.00 EUR · 20.00 USD"
    assert bool(page.link_button) == (role != "finance")


def test_filters_narrow_the_list_and_are_in_the_link_to_the_file(page_as, sessions):
    fill(sessions)
    page = page_as("manager").visit("reports.py")
    page.text_input(key="reports_text").set_value("bolt").run()

    assert list(tables_of(page)[0]["Customer"]) == ["Bolt GmbH"]
    listed = link(page, "List of these reports as CSV")
    assert "text=bolt" in listed
    assert "excel=1" in listed
    page.date_input(key="reports_to").set_value("2026-02-28").run()
    assert "No report matches" in page.info[0].value


def link(page, label: str) -> str:
    return next(one.url for one in page.link_button if one.label == label)


def test_a_month_is_one_click_and_the_files_are_of_it(page_as, sessions):
    fill(sessions)
    page = page_as("manager").visit("reports.py")
    (months,) = [one for one in page.button_group if one.key == "reports_month"]
    assert list(months.options) == ["March 2026", "February 2026"], "the newest first"
    assert months.value is None

    months.set_value(date(2026, 3, 1)).run()
    assert not page.exception
    assert sorted(tables_of(page)[0]["Customer"]) == [HOSTILE, "Bolt GmbH"]
    assert (page.query_params["reports_from"], page.query_params["reports_to"]) == ("2026-03-01", "2026-03-31")
    for label in ("Excel workbook", "PDF", "CSV", "List of these reports as CSV", "ZIP of a CSV each"):
        assert "start_date=2026-03-01&end_date=2026-03-31" in link(page, label)
    assert "variant=short" in link(page, "ZIP of a CSV each, four columns")

    page.date_input(key="reports_to").set_value("2026-03-30").run()
    assert next(one.value for one in page.button_group if one.key == "reports_month") is None, "no month any more"


def test_all_that_match_are_chosen_however_many_and_the_table_shows_it(page_as, sessions, monkeypatch):
    fill(sessions)
    monkeypatch.setattr(bulk_selection, "MOST", 2)
    page = page_as("manager").visit("reports.py")
    assert "Chosen" not in tables_of(page)[0]
    everything = page.checkbox(key="reports_everything_3")
    assert not everything.disabled

    everything.check().run()
    assert not page.exception
    assert list(tables_of(page)[0]["Chosen"]) == [True, True, True]
    assert "**3 reports**" in [text.value for text in page.markdown]

    page = page_as("admin").visit("reports.py")
    page.checkbox(key="reports_everything_3").check().run()
    assert page.button(key="invoice_reports").disabled, "two drafts at once, and these are three"


def test_whoever_may_not_export_is_offered_no_choice(page_as, sessions):
    fill(sessions)
    page = page_as("finance").visit("reports.py")
    assert not page.checkbox
    assert not page.link_button


def test_the_menu_of_a_report_gives_the_explained_csv_and_the_published_one_by_name(page_as, sessions):
    filled = fill(sessions)
    page = page_as("manager").visit("reports.py", report=str(filled.march))
    assert link(page, "CSV") == f"/downloads/reports/{filled.march}.csv?excel=1"
    assert link(page, "CSV, four columns") == f"/downloads/reports/{filled.march}.short.csv?excel=1"


def test_superseded_versions_are_shown_on_demand(page_as, sessions):
    filled = fill(sessions)
    with sessions.begin() as session:
        an_order(session, filled.acme, "M-3", on=MARCH.start)
        billed(session, filled.acme, MARCH, now=LATER)
    page = page_as("finance").visit("reports.py")
    assert len(tables_of(page)[0]) == 3

    page.selectbox(key="reports_state").set_value("all").run()
    assert sorted(state[0] for state in tables_of(page)[0]["State"]) == ["Current"] * 3 + ["Superseded"]


@pytest.mark.parametrize("tab", ["Services", "Prices", "Orders (2)", "Questions (0)", "Versions and changes"])
@EVERY_ROLE
def test_every_tab_of_a_report_opens_for_every_role(page_as, sessions, role, tab):
    filled = fill(sessions)
    visitor = page_as(role)
    page = visitor.visit("reports.py", report=str(filled.march))
    page.session_state[f"report_tab_{filled.march}"] = tab
    page.run()

    assert not page.exception
    assert page.metric[0].value.replace(formats.NO_BREAK_SPACE, " ") == "8.00 USD"


def test_a_reports_services_add_up_to_its_total(page_as, sessions):
    filled = fill(sessions)
    page = page_as("finance").visit("reports.py", report=str(filled.march))

    # Two orders of four items: 2 × 2.00 for handling, 8 × 0.50 for picking.
    assert tables_of(page)[0][["Service", "Quantity", "Amount, USD"]].values.tolist() == [
        ["Handling", "2", "4.00"],
        ["Picking", "8", "4.00"],
    ]
    assert any("the report's total ✓" in text.value for text in page.caption)


def test_a_reports_prices_multiply_out_and_add_up_to_its_total(page_as, sessions):
    filled = fill(sessions)
    visitor = page_as("finance")
    page = visitor.visit("reports.py", report=str(filled.march))
    page.session_state[f"report_tab_{filled.march}"] = "Prices"
    page.run()

    assert tables_of(page)[0][["Service", "Orders", "Quantity", "Unit price", "Amount, USD"]].values.tolist() == [
        ["Handling", 2, "2", "2", "4.00"],
        ["Picking", 2, "8", "0.5", "4.00"],
    ]
    assert any("8.00 USD = the report's total ✓" in text.value.replace("\u00a0", " ") for text in page.caption)


def test_each_number_in_a_reports_head_opens_into_orders_that_add_up_to_it(page_as, sessions):
    filled = fill(sessions)
    number = filled.march
    # Two orders of 4.00 each; handling and picking on both.
    for key, check in (
        (f"report_report_{number}_total_USD", "8.00"),
        (f"report_report_{number}_orders_count", "2"),
        (f"report_report_{number}_charges_count", "4"),
        (f"report_report_{number}_average_USD", "8.00"),
    ):
        page = page_as("finance").visit("reports.py", report=str(number))
        page.button(key=key).click().run()

        assert not page.exception
        assert page.success[0].value.replace(formats.NO_BREAK_SPACE, " ").endswith("= the figure ✓")
        assert check in page.success[0].value, key


def test_a_kept_view_brings_its_filters_back(page_as, sessions):
    fill(sessions)
    visitor = page_as("manager")
    page = visitor.visit("reports.py", reports_currency="EUR")
    next(one for one in page.text_input if one.label == "Save these filters as").set_value("Euros")
    page.button(key="FormSubmitter:save_view_reports-Save view").click().run()

    assert not page.exception
    assert as_read(page.toast[0].value).startswith("Saved."), "said after the rerun that follows, else nobody sees it"
    with sessions() as session:
        assert session.scalars(select(SavedView.query)).all() == ["reports_currency=EUR"]

    page = visitor.visit("reports.py", reports_text="nobody")
    next(one for one in page.button if one.label == "Euros").click().run()

    assert not page.exception
    assert (page.selectbox(key="reports_currency").value, page.text_input(key="reports_text").value) == ("EUR", "")
    assert list(tables_of(page)[0]["Customer"]) == ["Bolt GmbH"]


def test_a_report_of_somebody_else_is_not_there(page_as, sessions):
    filled = fill(sessions)
    page = page_as("finance", customer_id=filled.bolt).visit("reports.py", report=str(filled.march))

    assert [error.value for error in page.error] == [f"There is no report {filled.march}"]
    assert not page.metric


def test_a_new_version_shows_what_changed_by_order_and_service(page_as, sessions):
    filled = fill(sessions)
    with sessions.begin() as session:
        an_order(session, filled.acme, "M-3", on=MARCH.start, items=6)
        report = billed(session, filled.acme, MARCH, now=LATER)
    page = page_as("finance").visit("reports.py", report=str(report.id))
    page.session_state[f"report_tab_{report.id}"] = "Versions and changes"
    page.run()

    versions, services, orders = tables_of(page)
    assert list(versions["Total"]) == ["13.00", "8.00"]
    assert services[["Service", "Before", "Now", "Difference"]].values.tolist() == [
        ["Handling", "4.00", "6.00", "+2.00"],
        ["Picking", "4.00", "7.00", "+3.00"],
    ]
    assert orders[["Order", "Difference"]].values.tolist() == [["M-3", "+5.00"]]
