"""A newcomer's first hour, in a real browser: from an empty database to the downloaded CSV."""

import csv
import re
from decimal import Decimal
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser import northwind
from tests.browser.conftest import TIMEOUT_MS, Product

HANDLING, PICKING = Decimal("2.50"), Decimal("0.35")
CUSTOMER, KEY, MONTH = "Ernst Handel", "ERNSH", "1998-04"
DAYS = "run_period=Custom&run_period_days=1998-04-01&run_period_days=1998-04-30"

expect.set_options(timeout=TIMEOUT_MS)


def test_a_newcomer_gets_from_an_empty_database_to_the_csv(product: Product, page: Page, tmp_path: Path):
    files = northwind.files(tmp_path)
    set_up(page, product)
    import_files(page, product, files)
    set_prices(page, product)
    generate(page, product)
    row = downloaded_summary(page, product, tmp_path)
    short = downloaded_report(page, product, tmp_path)
    sign_out(page)

    expected = northwind.charges(files, KEY, MONTH, per_order=HANDLING, per_item=PICKING)
    assert len(expected) > 1, "the month must have orders, or the test says nothing"
    total = sum((sum(pair, Decimal(0)) for pair in expected.values()), Decimal(0))
    assert sum((Decimal(charge["amount"]) for charge in short), Decimal(0)) == total
    assert len(short) == 2 * len(expected)
    assert Decimal(row["total_amount"]) == total


def set_up(page: Page, product: Product) -> None:
    page.goto(product.set_up_link())
    page.get_by_label("Your name").fill("Nora Newcomer")
    page.get_by_label("E-mail address").fill("nora@northwind.example")
    page.get_by_label("Password", exact=True).fill("seven quiet herons wade")
    page.get_by_label("Password again").fill("seven quiet herons wade")
    page.get_by_label("Business name").fill("Northwind Fulfilment")
    page.get_by_label("Currency").select_option("USD")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_text("Nothing has been billed yet")).to_be_visible()


def import_files(page: Page, product: Product, files: list[Path]) -> None:
    page.get_by_role("button", name="Import files").click()
    expect(page.get_by_role("heading", name="Import", exact=True)).to_be_visible()
    page.locator("input[type=file]").set_input_files(files)
    for file in files:
        expect(page.get_by_text(file.name, exact=True).first).to_be_visible()
    # The export does not say whose products these are: they are everybody's.
    expect(page.get_by_text("does not say whose products")).to_be_visible()
    unknown = page.get_by_role("combobox", name="customer_ref").and_(page.locator("[value='not in the file']"))
    choose(page, unknown, "every customer")
    expect(page.get_by_text("does not say whose products")).to_be_hidden()
    check = page.get_by_role("button", name="Check")
    expect(check).to_be_enabled()
    check.click()
    # By its being enabled: for a moment the one of the run before stands beside it.
    page.get_by_role("button", name="Import 4 files", disabled=False).click()
    expect(page.get_by_text("Imported", exact=True)).to_have_count(len(files))


def set_prices(page: Page, product: Product) -> None:
    page.goto(f"{product.address}/rate_cards?rate_tab=Services")
    for code, name, counts in (("HANDLING", "Handling", "per order"), ("PICKING", "Picking", "per item")):
        form = page.get_by_test_id("stForm").filter(has_text="New service")
        form.get_by_role("textbox", name="Code").fill(code)
        form.get_by_role("textbox", name="Name").fill(name)
        choose(page, form.get_by_role("combobox"), counts)
        form.get_by_role("button", name="Create").click()
        expect(cell(page, code)).to_be_attached()
    page.goto(f"{product.address}/rate_cards")
    choose(page, page.get_by_role("combobox", name="Customer"), CUSTOMER)
    for name, price in (("Handling", HANDLING), ("Picking", PICKING)):
        page.get_by_role("button", name="Add a rate").click()
        choose(page, page.get_by_role("combobox", name="Service"), name)
        # Month, day and year are a field each; the next takes over when one is full.
        page.get_by_test_id("stDateInput").filter(has_text="First day").get_by_role("spinbutton").first.click()
        page.keyboard.type("01011998")
        page.keyboard.press("Tab")
        page.get_by_role("textbox", name="Unit price").fill(str(price))
        page.get_by_role("textbox", name="Unit price").press("Tab")
        expect(page.get_by_role("textbox", name="Unit price")).to_have_value(str(price))
        page.get_by_role("button", name="Add the rate").click()
        expect(cell(page, name)).to_be_attached()


def generate(page: Page, product: Product) -> None:
    page.goto(f"{product.address}/reports?tab=Generate&{DAYS}")
    page.get_by_role("button", name="Rehearse", exact=True).last.click()
    expect(page.get_by_text("Would be billed, USD")).to_be_visible()
    page.get_by_role("button", name="Make reports").last.click()
    expect(page.get_by_role("heading", name="Reports for April 1998")).to_be_visible()
    expect(page.get_by_text("Done:")).to_be_visible()


def downloaded_summary(page: Page, product: Product, folder: Path) -> dict[str, str]:
    """Ernst Handel's line of the customer list, as the file has it."""
    page.goto(f"{product.address}/customers")
    search = page.get_by_role("searchbox", name="Search")
    search.fill(CUSTOMER)
    search.press("Enter")
    expect(page.get_by_text("1 customer", exact=True)).to_be_visible()
    link = page.get_by_role("link", name="List as CSV")
    expect(link).to_have_attribute("href", re.compile("Ernst"))
    rows = download(page, link, folder / "customers.csv")
    assert [row["customer_name"] for row in rows] == [CUSTOMER]
    return rows[0]


def downloaded_report(page: Page, product: Product, folder: Path) -> list[dict[str, str]]:
    page.goto(f"{product.address}/reports?reports_text=Ernst+Handel")
    expect(page.get_by_text("1 report", exact=True)).to_be_visible()
    # The table is one canvas: the first row lies below its head, the customer in the second column.
    table = page.get_by_test_id("stDataFrame")
    # Before its rows are drawn, a click on the canvas is lost.
    expect(cell(page, CUSTOMER)).to_be_attached()
    table.click(position={"x": 200, "y": 55})
    expect(page.get_by_role("heading", name=f"{CUSTOMER}, April 1998")).to_be_visible()
    page.get_by_test_id("stPopover").get_by_role("button", name="Download").click()
    return download(page, page.get_by_role("link", name="CSV", exact=True), folder / "report.csv")


def sign_out(page: Page) -> None:
    """What stands there afterwards needs nothing that only a signed-in browser is given."""
    page.goto(page.url)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out")).to_be_visible()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in").click()
    expect(opened.value.get_by_label("E-mail address")).to_be_visible()
    expect(page.get_by_text("TypeError")).to_have_count(0)


def choose(page: Page, box: Locator, option: str) -> None:
    """Pick from one of Streamlit's select boxes by typing."""
    box.click()
    box.fill(option)
    page.get_by_role("option", name=option).first.click()


def cell(page: Page, text: str) -> Locator:
    """A table is one canvas; what it shows stands inside as a plain table for screen readers."""
    return page.locator("canvas td").get_by_text(text, exact=True)


def download(page: Page, link: Locator, target: Path) -> list[dict[str, str]]:
    with page.expect_download() as coming:
        link.click()
    coming.value.save_as(target)
    with target.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
