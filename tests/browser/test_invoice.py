"""From a report to the money, in a real browser: draft, edit, send, the customer looks, pays, and it is paid."""

import re
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, Page, expect

from billing_core.identity import SESSION_COOKIE
from tests.browser import billed
from tests.browser.conftest import TIMEOUT_MS, Product
from tests.outbox.post_office import MailServer, PostOffice

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def office():
    return PostOffice()


@pytest.fixture
def report_and_token(tmp_path):
    return billed.prepared(tmp_path)


@pytest.fixture
def product(tmp_path, report_and_token, office):
    with MailServer(office) as mail_server:
        running = Product(tmp_path, BILLING_SMTP_URL=mail_server, BILLING_MAIL_FROM="billing@example.com")
        try:
            yield running
        finally:
            running.stop()
    assert running.trouble() == []


def test_a_report_becomes_an_invoice_that_the_customer_sees_and_pays(
    product: Product, page: Page, chromium: Browser, report_and_token, office
):
    report_id, token = report_and_token
    product.wait_until_it_answers()
    page.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": product.address}])

    draft_from(page, product, report_id)
    edit(page)
    send(page)
    (mail,) = office.wait_for(1)
    assert mail["To"] == "ap@acme.example"
    assert attached_pdf(mail).startswith(b"%PDF")

    look_as_the_customer(chromium, link_in(mail))
    page.reload()
    expect(page.get_by_text("Viewed", exact=True).first).to_be_visible()
    record_payment(page)
    expect(page.get_by_text("Paid", exact=True).first).to_be_visible()
    expect(page.get_by_text("Opened by the customer")).to_be_visible()


def draft_from(page: Page, product: Product, report_id: int) -> None:
    """8.00 from the report at 19 % is 9.52."""
    page.goto(f"{product.address}/reports?report={report_id}")
    page.get_by_role("button", name="Invoice this report").click()
    rate = page.get_by_role("textbox", name="Tax rate of all lines, %")
    rate.fill("19")
    rate.press("Tab")
    page.get_by_role("button", name="Create the draft").click()
    expect(page.get_by_role("heading", name="Draft for Acme Corp")).to_be_visible()
    expect(page.get_by_role("cell", name="9.52").first).to_be_visible()


def edit(page: Page) -> None:
    """5 % off: 7.60 and 1.44 tax (1.444, rounded) are 9.04."""
    discount = page.get_by_role("textbox", name="Discount, %")
    discount.fill("5")
    discount.press("Tab")
    expect(page.get_by_role("cell", name="9.04").first).to_be_visible()
    # The strip compares with what is stored: the draft has saved itself.
    expect(page.get_by_text("PDF = 9.04 USD")).to_be_visible()


def send(page: Page) -> None:
    page.get_by_role("button", name="Send", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox", name="To", exact=True)).to_have_value("ap@acme.example")
    # Nobody has said where we are: it can be sent all the same, and its timeline tells.
    expect(dialog.get_by_text("The invoice lacks our address")).to_be_visible()
    expect(dialog.get_by_role("button", name="Fill in our details")).to_be_visible()
    dialog.get_by_role("button", name="Send anyway", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile(r"Invoice INV-\d{4}-001"))).to_be_visible()
    expect(page.get_by_text("It was sent without our address")).to_be_visible()


def attached_pdf(mail: EmailMessage) -> bytes:
    (attachment,) = mail.iter_attachments()
    assert attachment.get_content_type() == "application/pdf"
    return attachment.get_content()


def link_in(mail: EmailMessage) -> str:
    text = mail.get_body(("plain",)).get_content()
    found = re.search(r"https?://\S+/i/[\w-]+", text)
    assert found, text
    return found.group()


def look_as_the_customer(chromium: Browser, link: str) -> None:
    """Without a session, in a browser of the customer's own."""
    theirs = chromium.new_context(locale="en-US")
    page = theirs.new_page()
    answer = page.goto(link)
    assert answer.status == 200
    assert "noindex" in answer.headers["x-robots-tag"]
    expect(page.get_by_text("9.04").first).to_be_visible()
    theirs.close()


def record_payment(page: Page) -> None:
    page.get_by_role("button", name="Record payment").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox", name=re.compile("^Amount"))).to_have_value("9.04")
    dialog.get_by_role("button", name="Record payment").click()
