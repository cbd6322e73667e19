"""Files of plans and events are imported, and the Usage page tells what they come to."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, Role
from tests.browser.conftest import TIMEOUT_MS, Product
from tests.browser.test_northwind import cell
from tests.pages.conftest import signed_in_user

# Five calls in March, of which three are included; each of the other two costs 0.25 USD.
FILES = {
    "customers.csv": "ref,name,currency\nACME,Acme Corp,USD\n",
    "plans.csv": (
        "plan_code,name,currency,price,interval,included_calls,price_per_call\nsmall,Small,USD,10,month,3,0.25\n"
    ),
    "customer-plans.csv": "customer_ref,plan_code,valid_from\nACME,small,2026-01-01\n",
    "usage.csv": "event_id,customer_ref,time,meter,user,endpoint,response_time,quantity\n"
    + "".join(f"e{number},ACME,2026-03-1{number}T10:00:00Z,,ana,/v1/search,0.25,\n" for number in range(5)),
}

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def token(tmp_path: Path) -> str:
    """An admin's, in a database of its own."""
    opened = Sessions(connect(f"sqlite:///{tmp_path / 'data' / 'billing.sqlite3'}"))
    upgrade(opened.engine)
    _, token = signed_in_user(opened, Role.ADMIN, now=utc_now())
    opened.engine.dispose()
    return token


@pytest.fixture
def data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()


def test_imported_events_are_seen_with_what_they_cost(data, token, product: Product, page: Page, tmp_path: Path):
    product.wait_until_it_answers()
    page.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": product.address}])
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")

    page.goto(f"{product.address}/imports")
    page.locator("input[type=file]").set_input_files([tmp_path / name for name in FILES])
    for name in FILES:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    page.get_by_role("button", name="Check").click()
    # By its being enabled: for a moment the one of the run before stands beside it.
    page.get_by_role("button", name="Import 4 files", disabled=False).click()
    expect(page.get_by_text("Imported", exact=True)).to_have_count(len(FILES))

    page.goto(f"{product.address}/usage?usage_month=March+2026")
    for text in ("Acme Corp", "0.50", "Exceeded"):
        expect(cell(page, text)).to_be_attached()
    # The table is one canvas: the first row lies below its head, the button that opens it in the second column.
    page.get_by_test_id("stDataFrame").click(position={"x": 75, "y": 52})
    expect(page.get_by_role("heading", name="Acme Corp")).to_be_visible()
    expect(
        page.get_by_role("heading", name="5 calls: 2 beyond what is included, used up on Mar 13, 2026")
    ).to_be_visible()
    expect(cell(page, "2 × 0.25")).to_be_attached()
    page.get_by_test_id("stDataFrame").last.click(position={"x": 75, "y": 52})
    expect(page.get_by_text("Sum of its days: 5 calls = the figure ✓")).to_be_visible()
