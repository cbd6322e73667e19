"""Subscriptions as an administrator goes through them: two are to be moved to another version of their plan, and one of
them stays; another one lives from its plan to its end. The clock runs by a command.
"""

import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy.orm import Session

from billing_core.database import Sessions, connect
from billing_core.database.migrate import upgrade
from billing_core.dates import add_months, utc_now
from billing_core.identity import SESSION_COOKIE, SYSTEM, Role
from billing_core.plans import service as plans
from billing_core.plans.models import TrialEnd
from billing_core.plans.terms import Terms
from tests.browser.conftest import PROJECT, TIMEOUT_MS, Product
from tests.browser.test_northwind import cell
from tests.invoices.company import a_customer
from tests.pages.conftest import signed_in_user
from tests.subscriptions.signed_up import a_subscription

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture
def token(tmp_path: Path) -> str:
    """An admin's, in a database with one customer, and two on *store*, whose second version costs more."""
    (tmp_path / "data").mkdir()
    opened = Sessions(connect(f"sqlite:///{tmp_path / 'data' / 'billing.sqlite3'}"))
    upgrade(opened.engine)
    with opened.begin() as session:
        a_customer(session)
        a_plan_of_two(session, now=utc_now())
    _, token = signed_in_user(opened, Role.ADMIN, now=utc_now())
    opened.engine.dispose()
    return token


@pytest.mark.later
def test_a_subscription_from_its_plan_to_its_end(token, product: Product, page: Page, tmp_path: Path):
    begun = utc_now()
    product.wait_until_it_answers()
    page.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": product.address}])

    moves(page, product.address, begun.date())
    a_plan(page, product.address)
    a_promo_code(page, product.address)
    subscribes(page, product.address)
    expect(stands(page, "Trialing")).to_be_visible()
    expect(page.get_by_role("strong").get_by_text("Trial ends on")).to_be_visible()

    after_trial = begun + timedelta(days=14, hours=1)
    assert "succeeded" in runs(tmp_path / "data", after_trial)
    page.reload()
    expect(stands(page, "Active")).to_be_visible()
    expect(cell(page, "Paid")).to_be_attached()

    pays_by(page, "Test card that is declined when charged")
    expect(page.get_by_text("Visa •••• 0341")).to_be_visible()
    assert "declined" in runs(tmp_path / "data", after_trial + timedelta(days=32))
    page.reload()
    expect(stands(page, "Past due")).to_be_visible()

    pays_by(page, "Test card that pays")
    expect(stands(page, "Active")).to_be_visible()
    cancels(page)
    expect(stands(page, "Ending")).to_be_visible()
    assert "canceled" in runs(tmp_path / "data", after_trial + timedelta(days=64))
    page.reload()
    expect(stands(page, "Canceled")).to_be_visible()


def a_plan_of_two(session: Session, now: datetime) -> None:
    """*Store* was 30.00 USD a month, and is 36.00 now. The two are in their trial for two weeks."""
    before, after = (Terms("USD", Decimal(price), 0, Decimal(0), trial_end=TrialEnd.INVOICE) for price in (30, 36))
    plans.create(session, SYSTEM, code="store", name="Store", agreed=before, now=now)
    for ref, name in (("BLUE", "Blue Ltd"), ("COBALT", "Cobalt Ltd")):
        a_customer(session, ref, name=name, email=f"ap@{ref.lower()}.example")
        a_subscription(session, "store", ref, now, trial_days=14)
    plans.add_version(session, SYSTEM, "store", after, now=now)


def moves(page: Page, address: str, today: date) -> None:
    """Their first periods begin in two weeks, within the notice; the next ones a month later. One is let stay."""
    page.goto(f"{address}/plans?plan=store&plan_tab=Moves")
    begins_on = f"{add_months(today + timedelta(days=14), 1)}"
    shown = [begins_on, "30.00", "36.00", "+6.00", "USD", "1"]
    expect(cells(page, "ap@cobalt.example")).to_contain_text(
        ["Blue Ltd", *shown, "ap@blue.example", "sub_", "Cobalt Ltd", *shown, "ap@cobalt.example", "sub_"]
    )
    page.get_by_role("button", name="Move 2 subscriptions").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("60.00 USD → 72.00 USD")).to_be_visible()
    dialog.get_by_role("button", name="Move them").click()
    expect(dialog).to_have_count(0)

    moved = cells(page, "36.00")
    expect(moved).to_contain_text(["Blue Ltd", "Scheduled", "Withdraw", begins_on, "30.00", "36.00", "USD", "1"])
    # The first row lies below the head, the button in the fourth column.
    page.get_by_test_id("stDataFrame").filter(has=cell(page, "36.00")).click(position={"x": 400, "y": 52})
    expect(dialog.get_by_text("The subscription of Blue Ltd stays on version 1.")).to_be_visible()
    dialog.get_by_role("button", name="Withdraw it").click()
    expect(dialog).to_have_count(0)
    expect(moved.get_by_text("Not moved")).to_have_count(1)
    expect(moved.get_by_text("Scheduled")).to_have_count(1)
    # It could be moved again, the other one is to be.
    expect(page.get_by_role("button", name="Move 1 subscription")).to_be_visible()
    expect(cell(page, "It is to be moved already")).to_have_count(1)


def cells(page: Page, text: str) -> Locator:
    """All of the table that has one with this text."""
    return page.get_by_test_id("stDataFrame").filter(has=cell(page, text)).locator("canvas td")


def a_plan(page: Page, address: str) -> None:
    """*Team* for 30.00 USD a month."""
    page.goto(f"{address}/plans")
    page.get_by_role("button", name="New plan").click()
    dialog = page.get_by_role("dialog")
    fill(dialog, "Code", "team")
    fill(dialog, "Name", "Team")
    fill(dialog, "Price", "30")
    dialog.get_by_role("button", name="Create the plan").click()
    expect(page.get_by_role("heading", name="Team", exact=True)).to_be_visible()


def a_promo_code(page: Page, address: str) -> None:
    """Half the price, once."""
    page.goto(f"{address}/promo_codes")
    page.get_by_role("button", name="New promo code").click()
    dialog = page.get_by_role("dialog")
    fill(dialog, "Code", "HALF")
    fill(dialog, "Takes off the price", "50")
    dialog.get_by_role("button", name="Create the promo code").click()
    expect(page.get_by_role("heading", name="HALF")).to_be_visible()


def subscribes(page: Page, address: str) -> None:
    """Fourteen days for nothing, then a month for half its price."""
    page.goto(f"{address}/subscriptions")
    page.get_by_role("button", name="New subscription").click()
    dialog = page.get_by_role("dialog")
    choose(page, dialog, "Customer", "Acme Corp")
    choose(page, dialog, "Plan", "team")
    fill(dialog, "Days of trial", "14")
    fill(dialog, "Promo code", "HALF")
    expect(dialog.get_by_text("Nothing is billed now.")).to_be_visible()
    expect(cell(page, "15.00").first).to_be_attached()
    dialog.get_by_role("button", name="Start the subscription").click()
    expect(page.get_by_role("heading", name="Acme Corp, Team")).to_be_visible()


def pays_by(page: Page, card: str) -> None:
    does(page, "Other payment method")
    dialog = page.get_by_role("dialog")
    choose(page, dialog, "Paid by", card)
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog).to_have_count(0)


def cancels(page: Page) -> None:
    does(page, "Cancel")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("It goes on until")).to_be_visible()
    dialog.get_by_role("button", name="Cancel it").click()
    expect(dialog).to_have_count(0)


def does(page: Page, step: str) -> None:
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name=step).or_(page.get_by_role("option", name=step)).first.click()


def stands(page: Page, state: str) -> Locator:
    return page.get_by_text(state, exact=True).first


def fill(dialog: Locator, label: str, text: str) -> None:
    field = dialog.get_by_role("textbox", name=label, exact=True)
    field = field.or_(dialog.get_by_role("spinbutton", name=label, exact=True))
    field.fill(text)
    field.press("Tab")


def choose(page: Page, dialog: Locator, label: str, option: str) -> None:
    dialog.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).first.click()


def runs(data: Path, now: datetime) -> str:
    """What is due by an instant, done by the command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
    done = subprocess.run(
        [sys.executable, "-m", "billing_core", "renewals", "run", "--now", now.isoformat()],
        cwd=PROJECT,
        env={**kept, "BILLING_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
