"""A shop's export dropped on an empty company, in a real browser: all that it holds in one go, up to an invoice."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TIMEOUT_MS, Product
from tests.browser.test_northwind import cell, choose, set_up
from tests.imports.test_layouts import FILES

expect.set_options(timeout=TIMEOUT_MS)
DAYS = "run_period=Custom&run_period_days=2026-03-01&run_period_days=2026-03-31"


@pytest.mark.later
def test_a_shop_s_export_becomes_an_invoice(product: Product, page: Page):
    """Smith Ltd has one order that counts, of three pieces; its other one was cancelled: 3 x 1.50 are 4.50."""
    set_up(page, product)
    import_the_export(page)
    price_a_piece(page, product)
    generate(page, product)
    invoice(page, product)


def import_the_export(page: Page) -> None:
    page.get_by_role("button", name="Import files").click()
    page.locator("input[type=file]").set_input_files(FILES / "shopify_orders.csv")
    expect(page.get_by_text("Shopify: orders")).to_be_visible()
    for part in ("customers", "orders", "order lines"):
        expect(page.get_by_text(f"Import the {part} of this file")).to_be_visible()
    check = page.get_by_role("button", name="Check")
    expect(check).to_be_enabled()
    check.click()
    page.get_by_role("button", name="Import", exact=True, disabled=False).click()
    expect(page.get_by_text("Imported", exact=True)).to_have_count(3)


def price_a_piece(page: Page, product: Product) -> None:
    page.goto(f"{product.address}/rate_cards?rate_tab=Services")
    form = page.get_by_test_id("stForm").filter(has_text="New service")
    form.get_by_role("textbox", name="Code").fill("PICKING")
    form.get_by_role("textbox", name="Name").fill("Picking")
    choose(page, form.get_by_role("combobox"), "per item")
    form.get_by_role("button", name="Create").click()
    expect(cell(page, "PICKING")).to_be_attached()
    page.goto(f"{product.address}/rate_cards")
    choose(page, page.get_by_role("combobox", name="Customer"), "Smith Ltd")
    page.get_by_role("button", name="Add a rate").click()
    choose(page, page.get_by_role("combobox", name="Service"), "Picking")
    page.get_by_test_id("stDateInput").filter(has_text="First day").get_by_role("spinbutton").first.click()
    page.keyboard.type("01012026")
    page.keyboard.press("Tab")
    price = page.get_by_role("textbox", name="Unit price")
    price.fill("1.50")
    price.press("Tab")
    expect(price).to_have_value("1.50")
    page.get_by_role("button", name="Add the rate").click()
    expect(cell(page, "Picking")).to_be_attached()


def generate(page: Page, product: Product) -> None:
    page.goto(f"{product.address}/reports?tab=Generate&{DAYS}")
    page.get_by_role("button", name="Rehearse", exact=True).last.click()
    expect(page.get_by_text("Would be billed, EUR")).to_be_visible()
    page.get_by_role("button", name="Make reports").last.click()
    expect(page.get_by_role("heading", name="Reports for March 2026")).to_be_visible()
    expect(page.get_by_text("Done:")).to_be_visible()


def invoice(page: Page, product: Product) -> None:
    page.goto(f"{product.address}/reports?reports_text=Smith+Ltd")
    expect(page.get_by_text("1 report", exact=True)).to_be_visible()
    expect(cell(page, "Smith Ltd")).to_be_attached()
    page.get_by_test_id("stDataFrame").click(position={"x": 200, "y": 55})
    page.get_by_role("button", name="Invoice this report").click()
    page.get_by_role("button", name="Create the draft").click()
    expect(page.get_by_role("heading", name=re.compile("Draft for Smith Ltd"))).to_be_visible()
    expect(page.get_by_role("cell", name="4.50").first).to_be_visible()
