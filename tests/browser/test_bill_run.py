"""A bill run whose process is killed: the page that watches it sees it go on to the end, without a reload."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from billing_core.bill_runs.models import BillRunCustomer, RunOutcome
from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, Role
from billing_core.reports.models import BillingReport
from tests.browser.conftest import TIMEOUT_MS, Product
from tests.pages.conftest import signed_in_user
from tests.reports import company

# Several seconds of work: the page sees some of it before the process is killed.
CUSTOMERS = 400
MARCH = "run_period=Custom&run_period_days=2026-03-01&run_period_days=2026-03-31"

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def sessions(tmp_path: Path):
    opened = Sessions(connect(f"sqlite:///{tmp_path / 'billing.sqlite3'}"))
    upgrade(opened.engine)
    with opened.begin() as session:
        for number in range(CUSTOMERS):
            customer_id = company.a_customer(session, f"C{number}", name=f"Customer {number}")
            company.an_order(session, customer_id, f"SO-{number}")
    yield opened
    opened.engine.dispose()


@pytest.mark.later
def test_an_open_page_sees_the_run_go_on_after_its_process_died(sessions, page: Page, tmp_path: Path):
    _, token = signed_in_user(sessions, Role.MANAGER, now=utc_now())
    first = Product(tmp_path)
    try:
        first.wait_until_it_answers()
        page.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": first.address}])
        page.goto(f"{first.address}/reports?tab=Generate&{MARCH}&run_goal=Make+reports")
        page.get_by_role("button", name="Make reports").click()
        expect(page.get_by_role("heading", name="Reports for March 2026")).to_be_visible()
        expect(page.get_by_text(re.compile(rf"^[1-9]\d* of {CUSTOMERS} customers"))).to_be_visible()
        page.evaluate("window.opened_once = true")
    finally:
        first.kill()
    with sessions() as session:
        of_each = dict(
            session.execute(select(BillRunCustomer.outcome, func.count()).group_by(BillRunCustomer.outcome)).all()
        )
    assert 0 < of_each[RunOutcome.CREATED] < CUSTOMERS, "killed in the middle, or the test says nothing"

    second = Product(tmp_path, port=first.port)
    try:
        second.wait_until_it_answers()
        expect(page.get_by_text(f"Done: {CUSTOMERS} of {CUSTOMERS} customers.")).to_be_visible()
        assert page.evaluate("window.opened_once"), "not the same page: it was loaded again"
    finally:
        second.stop()
    with sessions() as session:
        reports = select(BillingReport.customer_id, func.count()).group_by(BillingReport.customer_id)
        assert [count for _, count in session.execute(reports)] == [1] * CUSTOMERS
