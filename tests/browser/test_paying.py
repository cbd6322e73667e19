"""Getting paid online, in real browsers: a link is created, a card is declined, another one pays, the money goes back.

The invoice's page turns by itself each time: nobody reloads it.
"""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, Role
from tests.browser.conftest import TIMEOUT_MS, Product
from tests.invoices.company import a_customer, an_invoice
from tests.pages.conftest import signed_in_user

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def invoice_and_token(tmp_path) -> tuple[int, str]:
    """An open invoice of 238.00 USD, and the session of an administrator."""
    sessions = Sessions(connect(f"sqlite:///{tmp_path / 'billing.sqlite3'}"))
    upgrade(sessions.engine)
    now = utc_now()
    with sessions.begin() as session:
        invoice_id = an_invoice(session, a_customer(session), due_on=now.date() + timedelta(days=30)).id
    _, token = signed_in_user(sessions, Role.ADMIN, now=now)
    sessions.engine.dispose()
    return invoice_id, token


@pytest.fixture
def product(tmp_path, invoice_and_token):
    running = Product(tmp_path)
    try:
        yield running
    finally:
        running.stop()
    assert running.trouble() == []


def test_an_invoice_is_paid_online_and_refunded(product: Product, page: Page, chromium: Browser, invoice_and_token):
    invoice_id, token = invoice_and_token
    product.wait_until_it_answers()
    page.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": product.address}])
    page.goto(f"{product.address}/invoice_editor?invoice={invoice_id}")

    address = create_link(page)
    theirs = chromium.new_context(locale="en-US")
    customer = theirs.new_page()
    customer.goto(address)
    expect(customer.get_by_text("no money moves")).to_be_visible()
    expect(customer.get_by_role("heading", name="$238.00")).to_be_visible()

    pay(customer, "4000 0000 0000 0002")
    expect(customer.get_by_text("The card was declined. Nothing was paid.")).to_be_visible()
    expect(page.get_by_text("Your card was declined.").first).to_be_visible()
    # A failed attempt is noted; the invoice is no later for it.
    expect(page.get_by_text("Overdue", exact=True)).to_have_count(0)

    pay(customer, "4242 4242 4242 4242")
    expect(customer.get_by_role("heading", name="Thank you, this is paid")).to_be_visible()
    expect(page.get_by_text("Paid", exact=True).first).to_be_visible()

    refund(page)
    expect(page.get_by_text("Refunded", exact=True).first).to_be_visible()
    customer.get_by_role("link", name="See the invoice").click()
    expect(customer.get_by_text("was refunded")).to_be_visible()
    theirs.close()


def create_link(page: Page) -> str:
    """Two clicks; the address that customers get."""
    page.get_by_role("button", name="Payment link", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("238.00").first).to_be_visible()
    dialog.get_by_role("button", name="Create payment link").click()
    shown = page.get_by_text(re.compile(r"^https?://\S+/pay/\S+$")).first
    expect(shown).to_be_visible()
    return shown.inner_text().strip()


def pay(customer: Page, card: str) -> None:
    customer.get_by_label("Card number").fill(card)
    customer.get_by_label("Expiry date").fill("12 / 40")
    customer.get_by_label("Security code").fill("123")
    customer.get_by_role("button", name="Pay $238.00").click()


def refund(page: Page) -> None:
    """All of it, the way it came."""
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Refund").or_(page.get_by_role("option", name="Refund")).first.click()
    dialog = page.get_by_role("dialog")
    reason = dialog.get_by_role("textbox", name="Reason")
    reason.fill("Returned")
    reason.press("Tab")
    dialog.get_by_role("button", name="Pay back").click()
