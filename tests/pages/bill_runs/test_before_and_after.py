"""What is proposed before a run, and what is offered after it."""

from datetime import date

import pytest

from billing_core.bill_runs.models import BillRun, RunGoal, RunOutcome
from billing_core.dates import Period, utc_now
from billing_core.orders.models import OrderStatus
from pages.ui import formats
from tests.pages.bill_runs.reading import keys, said, watching
from tests.pages.bill_runs.states import noted, planned
from tests.reports.company import a_customer, an_order

pytestmark = pytest.mark.slow


def test_the_newest_month_with_orders_that_is_over_is_proposed(page_as, sessions, company):
    """Orders of April 2026 are the newest; who bills March or February clicks once."""
    page = page_as("manager").visit("reports.py", tab="Generate")
    assert page.selectbox(key="run_period").value == "Newest month"
    assert "**1 customer** has orders in April 2026" in said(page)
    (months,) = [one for one in page.button_group if one.key == "run_period_month"]
    assert (list(months.options), months.value) == (
        ["April 2026", "March 2026", "February 2026"],
        date(2026, 4, 1),
    )

    months.set_value(date(2026, 3, 1)).run()
    assert not page.exception
    assert "**2 customers** have orders in March 2026" in said(page)
    assert page.query_params["run_period"] == "Custom"


def test_a_month_that_is_not_over_is_proposed_where_there_is_no_other(page_as, sessions, begun):
    today = utc_now().date()
    with sessions.begin() as session:
        an_order(session, a_customer(session), "NEW", on=today)
    assert "**1 customer** has orders in" in said(page_as("manager").visit("reports.py", tab="Generate"))


def test_drafts_and_orders_yet_to_come_propose_nothing(page_as, sessions, begun):
    today = utc_now().date()
    with sessions.begin() as session:
        acme = a_customer(session)
        an_order(session, acme, "DRAFT", on=date(2026, 1, 5), status=OrderStatus.DRAFT)
        an_order(session, acme, "TYPO", on=date(today.year + 30, 1, 5))
    page = page_as("manager").visit("reports.py", tab="Generate")
    last_month = formats.period(Period.last_month(today)).replace(formats.NO_BREAK_SPACE, " ")
    assert f"Nobody has anything to bill in {last_month}." in said(page)
    assert not [one for one in page.button_group if one.key == "run_period_month"]


def test_a_run_that_is_through_offers_the_files_and_the_invoices_of_its_reports(page_as, sessions, company):
    run_id = planned(sessions, goal=RunGoal.REPORTS)
    noted(sessions, run_id, company.acme, RunOutcome.CREATED, report_id=company.march)
    page = watching(page_as("admin"), run_id)
    assert not page.link_button, "it goes on"
    noted(sessions, run_id, company.bolt, RunOutcome.UNCHANGED, report_id=company.bolts_march)
    with sessions.begin() as session:
        session.get_one(BillRun, run_id).finished_at = utc_now()

    # By the names of the customers.
    ids = f"{company.march}%2C{company.bolts_march}"
    for role in ("finance", "manager", "admin"):
        page = watching(page_as(role), run_id)
        links = {one.label: one.url for one in page.link_button}
        assert links == (
            {}
            if role == "finance"
            else {
                "Excel workbook": f"/downloads/reports.xlsx?ids={ids}",
                "PDF": f"/downloads/reports.pdf?ids={ids}",
                "CSV": f"/downloads/report-charges.csv?ids={ids}&excel=1",
            }
        )
        assert ("invoice_run_reports" in keys(page)) == (role == "admin")

    page.button(key="invoice_run_reports").click().run()
    assert not page.exception
    assert "**2 drafts**" in said(page)
