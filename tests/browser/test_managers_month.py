"""A manager's month in a real browser: generated, checked and exported in eight clicks, sign-in included. An
administrator makes the drafts in the last two of them.
"""

from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import Role, passwords
from billing_core.identity.models import User
from billing_core.reports import coverage
from tests.browser.conftest import TIMEOUT_MS, Product
from tests.reports import company

MOST_CLICKS = 8
EMAIL, PASSWORD = "mia@acme.example", "seven quiet herons wade"
COUNTING = "addEventListener('pointerdown', press => { if (press.isTrusted) window.pressed() }, true)"

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def signs_in(tmp_path: Path):
    """Prepares the company with a person of this role: 2 × (2.00 + 4 × 0.50) dollars, and 2.00 + 10 × 0.50 euros."""

    def prepare(role: Role) -> None:
        sessions = Sessions(connect(f"sqlite:///{tmp_path / 'billing.sqlite3'}"))
        upgrade(sessions.engine)
        with sessions.begin() as session:
            acme = company.a_customer(session)
            bolt = company.a_customer(session, "BOLT", name="Bolt GmbH", currency="EUR")
            company.an_order(session, acme, "A-1")
            company.an_order(session, acme, "A-2")
            company.an_order(session, bolt, "B-1", items=10)
            coverage.refresh(session)
            known = {"email": EMAIL, "name": "Mia", "password_hash": passwords.hashed(PASSWORD)}
            session.add(User(**known, role=role, active=True, created_at=utc_now()))
        sessions.engine.dispose()

    return prepare


@pytest.mark.parametrize("role", [Role.MANAGER, pytest.param(Role.ADMIN, marks=pytest.mark.later)])
def test_a_month_takes_no_more_than_eight_clicks(signs_in, role: Role, page: Page, tmp_path: Path):
    signs_in(role)
    clicks: list[str] = []
    page.expose_function("pressed", lambda: clicks.append(page.url))
    page.add_init_script(COUNTING)
    product = Product(tmp_path)
    try:
        product.wait_until_it_answers()
        page.goto(product.address)
        page.get_by_label("E-mail address").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Reports").click()
        page.get_by_role("tab", name="Generate").click()
        # The newest month with orders is proposed, however long ago it was.
        expect(page.get_by_text("have orders in March 2026")).to_be_visible()
        page.get_by_role("button", name="Rehearse", exact=True).last.click()
        expect(page.get_by_text("Would be billed, USD")).to_be_visible()
        page.get_by_role("button", name="Make reports").last.click()
        expect(page.get_by_text("Done: 2 of 2 customers.")).to_be_visible()
        with page.expect_download() as coming:
            page.get_by_role("link", name="Excel workbook").click()
        coming.value.save_as(tmp_path / "month.xlsx")
        if role is Role.ADMIN:
            page.get_by_role("button", name="Invoice these reports").click()
            page.get_by_role("button", name="Create 2 drafts").click()
            expect(page.get_by_text("2 drafts created")).to_be_visible()
    finally:
        product.stop()
    assert product.trouble() == []

    assert coming.value.suggested_filename == "billing_reports_2026-03.xlsx"
    summary = [[cell.value for cell in row] for row in load_workbook(tmp_path / "month.xlsx")["Summary"].iter_rows()]
    assert [(row[0], row[1], row[7]) for row in summary[-2:]] == [("EUR", 1, 7), ("USD", 1, 8)]
    assert 6 <= len(clicks) <= MOST_CLICKS, clicks
