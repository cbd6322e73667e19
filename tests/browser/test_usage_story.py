"""Usage from its first event to the bill of what came late, as an administrator goes through it."""

from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import add_months, utc_now
from billing_core.identity import SESSION_COOKIE, Role
from tests.browser.conftest import TIMEOUT_MS, Product
from tests.browser.test_northwind import cell
from tests.pages.conftest import signed_in_user

HEAD = "event_id,customer_ref,time,meter,user,endpoint,response_time,quantity\n"
# Three calls a month are included; each other one costs 0.25 USD.
AGREED = {
    "customers.csv": "ref,name,currency\nACME,Acme Corp,USD\n",
    "plans.csv": (
        "plan_code,name,currency,price,interval,included_calls,price_per_call\nsmall,Small,USD,10,month,3,0.25\n"
    ),
    "customer-plans.csv": "customer_ref,plan_code,valid_from\nACME,small,2020-01-01\n",
}

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def token(tmp_path: Path) -> str:
    """An admin's, in a database of its own."""
    (tmp_path / "data").mkdir()
    opened = Sessions(connect(f"sqlite:///{tmp_path / 'data' / 'billing.sqlite3'}"))
    upgrade(opened.engine)
    _, token = signed_in_user(opened, Role.ADMIN, now=utc_now())
    opened.engine.dispose()
    return token


class Story:
    """What the administrator does, in words."""

    def __init__(self, product: Product, page: Page, folder: Path) -> None:
        self.address, self.page, self.folder = product.address, page, folder
        self.files_imported = 0

    def imports(self, files: dict[str, str]) -> None:
        for name, content in files.items():
            (self.folder / name).write_text(content, encoding="utf-8")
        self.page.goto(f"{self.address}/imports")
        self.page.locator("input[type=file]").set_input_files([self.folder / name for name in files])
        for name in files:
            expect(self.page.get_by_text(name, exact=True).first).to_be_visible()
        self.page.get_by_role("button", name="Check").click()
        label = "Import" if len(files) == 1 else f"Import {len(files)} files"
        self.page.get_by_role("button", name=label, exact=True, disabled=False).click()
        self.files_imported += len(files)
        expect(self.page.get_by_text("Imported", exact=True)).to_have_count(self.files_imported)

    def looks_at(self, part: str, more: str = "") -> None:
        self.page.goto(f"{self.address}/usage?usage_list={part}{more}")
        expect(self.page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()

    def explains_what_the_first_organization_used(self) -> None:
        """A table is one canvas: its first row lies below its head, the button in the second column."""
        self.page.get_by_test_id("stDataFrame").click(position={"x": 75, "y": 52})
        expect(self.page.get_by_role("heading", name="Acme Corp")).to_be_visible()
        expect(self.page.get_by_role("heading", name="5 calls: 2 beyond what is included")).to_be_visible()
        costs = self.page.get_by_test_id("stDataFrame").filter(has=cell(self.page, "2 × 0.25"))
        costs.click(position={"x": 75, "y": 52})

    def makes_the_drafts_of(self, month: date) -> None:
        self.looks_at("Invoices", f"&making_month={month:%Y-%m}&making_goal=Draft+invoices")
        self.page.get_by_role("button", name="Draft invoices").click()
        expect(self.page.get_by_text("Done: 1 of 1 customer.")).to_be_visible()


@pytest.fixture
def story(token, product: Product, page: Page, tmp_path: Path) -> Story:
    product.wait_until_it_answers()
    page.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": product.address}])
    return Story(product, page, tmp_path)


def events(name: str, day: date, count: int) -> str:
    return HEAD + "".join(f"{name}{number},ACME,{day}T00:00:0{number}Z,,ana,/v1,0.2,\n" for number in range(count))


@pytest.mark.later
def test_what_comes_late_is_on_the_next_invoice(story: Story, page: Page):
    """Five calls two months ago, of which two cost; later one more, 0.25; four a month ago, of which one costs."""
    today = utc_now().date()
    present, last, before_last = (add_months(today.replace(day=1), -back) for back in (0, 1, 2))

    story.imports(AGREED)
    story.looks_at("Alerts")
    page.get_by_role("button", name="New alert").click()
    page.get_by_role("dialog").get_by_role("button", name="Watch").click()
    expect(cell(page, "80% of the allowance")).to_be_attached()

    months = {"a": (before_last, 5), "b": (last, 4), "c": (present, 3)}
    story.imports({f"usage-{name}.csv": events(name, *month) for name, month in months.items()})
    story.looks_at("Organizations", f"&usage_month={before_last:%Y-%m}")
    for text in ("Acme Corp", "0.50", "Exceeded"):
        expect(cell(page, text)).to_be_attached()
    story.explains_what_the_first_organization_used()
    expect(cell(page, "2 × 0.25")).to_be_attached()
    expect(page.get_by_text("Sum of its days: 5 calls = the figure ✓")).to_be_visible()
    story.looks_at("Alerts")
    expect(cell(page, "Acme Corp")).to_be_attached()

    story.makes_the_drafts_of(before_last)
    expect(page.get_by_text("0.50", exact=True).first).to_be_visible()

    story.imports({"usage-late.csv": events("late", before_last, 1)})
    story.looks_at("Late")
    for text in ("Came late", "+0.25"):
        expect(cell(page, text)).to_be_attached()

    story.makes_the_drafts_of(last)
    # 0.25 of its own month, and 0.25 that came late.
    expect(page.get_by_text("0.50", exact=True).first).to_be_visible()
    story.looks_at("Late")
    expect(page.get_by_text("Nothing is open")).to_be_visible()
