"""What was billed, what changed it afterwards, and what becomes of that: on the Usage page."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from billing_core.businesses.models import Business
from billing_core.dates import Period
from billing_core.identity import SYSTEM
from billing_core.invoices import service as invoices
from billing_core.invoices.models import Invoice
from billing_core.metering import ingestion, withdrawal
from billing_core.metering.models import LateUsage
from billing_core.plans import service as plans
from billing_core.usage import billing, late
from billing_core.usage.late import Item
from pages.usage_sections import late as late_section
from tests.pages.pressing import press, tick
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer

pytestmark = pytest.mark.slow

OCTOBER = Period(date(2023, 10, 1), date(2023, 10, 31))
LATER = datetime(2023, 12, 1, 10, tzinfo=UTC)
LATE = {"usage_list": "Late"}


def tell(session, *names: str, of: str = "ACME") -> None:
    at = "2023-10-05T12:00:00Z"
    given = [{"id": name, "customer_ref": of, "time": at, "user": name[0], "endpoint": "/v1"} for name in names]
    ingestion.record(session, SYSTEM, given, now=LATER, atomic=True)


@pytest.fixture
def acme(sessions) -> int:
    """Two calls are included and one more costs 1.00: October of three calls is billed and sent. Then a fourth comes,
    worth 1.00, and the first is withdrawn, worth -1.00.
    """
    with sessions.begin() as session:
        acme = a_customer(session, name="Acme Corp", priced=False, email="ap@acme.example")
        plan = a_plan(session, agreed=terms(2, "1"))
        plans.put_on(session, SYSTEM, acme, plan, valid_from=OCTOBER.start, now=NOW)
        tell(session, "ann", "ben", "carl")
        made = billing.bill(session, SYSTEM, acme, OCTOBER, now=LATER, today=LATER.date())
        assert made.invoice_id is not None
        invoices.send(session, SYSTEM, made.invoice_id, now=LATER)
        tell(session, "dora")
        withdrawal.withdraw(session, SYSTEM, acme, "ann", reason="Told twice", now=LATER)
    return acme


def items(sessions) -> list[Item]:
    with sessions() as session:
        return late.items(session, SYSTEM)


@EVERY_ROLE
def test_late_items_are_listed_with_what_each_is_worth(page_as, acme, role):
    page = page_as(role).visit("usage.py", **LATE)

    assert not page.exception
    columns = ["Organization", "What", "Quantity", "Worth", "Currency", "Billed period", "Event"]
    assert page.dataframe[0].value[columns].values.tolist() == [
        ["Acme Corp", "Came late", "1", "+1.00", "USD", "October 2023", "dora"],
        ["Acme Corp", "Withdrawn", "-1", "-1.00", "USD", "October 2023", "ann"],
    ]
    assert any(button.label == "Waive" for button in page.main.button) == (role == "admin")


def test_without_late_items_the_page_says_so(page_as):
    page = page_as("finance").visit("usage.py", **LATE)
    assert not page.exception
    assert "Nothing is open" in page.info[0].value


def test_who_is_bound_to_a_customer_sees_its_items_and_not_how_businesses_treat_them(page_as, sessions, acme):
    with sessions.begin() as session:
        other = a_customer(session, "OTHER", priced=False)
    page = page_as("manager", customer_id=acme).visit("usage.py", **LATE)
    assert list(page.dataframe[0].value["Event"]) == ["dora", "ann"]
    assert not [one for one in page.main.markdown if "Late items are" in one.value]

    page = page_as("manager", customer_id=other).visit("usage.py", **LATE)
    assert "Nothing is open" in page.info[0].value


def test_late_items_are_read_on_and_from_the_beginning_for_another_organization(page_as, sessions, acme, monkeypatch):
    monkeypatch.setattr(late_section, "_SIZE", 1)
    with sessions.begin() as session:
        other = a_customer(session, "OTHER", priced=False)
        plans.put_on(session, SYSTEM, other, "basic", valid_from=OCTOBER.start, now=NOW)
        tell(session, "olga", of="OTHER")
        billing.bill(session, SYSTEM, other, OCTOBER, now=LATER, today=LATER.date())
        tell(session, "otto", of="OTHER")
    visitor = page_as("admin")
    page = tick(visitor.visit("usage.py", **LATE), row=0)
    assert "1 item ticked" in [one.value for one in page.caption]
    for event in ("ann", "otto"):
        page.button(key="usage_late_next").click().run()
        assert list(page.dataframe[0].value["Event"]) == [event]
        # What was ticked is on the page before.
        assert "0 items ticked" in [one.value for one in page.caption]

    page = visitor.visit("usage.py", organization=str(other), usage_tab="Late")
    assert list(page.dataframe[0].value["Event"]) == ["otto"]
    page = visitor.visit("usage.py", organization=str(acme), usage_tab="Late")
    assert list(page.dataframe[0].value["Event"]) == ["dora"]


def test_an_item_is_put_onto_the_next_invoice(page_as, sessions, acme):
    page = page_as("admin").visit("usage.py", organization=str(acme), usage_tab="Late")
    page = tick(page, row=0)
    page.button(key="late_next").click().run()

    assert not page.exception
    assert [one.wanted for one in items(sessions)] == [LateUsage.NEXT_INVOICE, None]


def test_items_are_waived_with_a_reason(page_as, sessions, acme):
    page = page_as("admin").visit("usage.py", **LATE)
    page = tick(page, row=0)
    page.button(key="late_waive").click().run()
    page.text_input(key="late_reason").set_value("Goodwill")
    # Here the whole page runs, not the dialog alone, so its opener is clicked again with it.
    page.button(key="late_waive").click()
    page.button(key="do_waive").click().run()

    assert not page.exception
    assert [(one.state, one.reason) for one in items(sessions)] == [("waived", "Goodwill"), ("open", "")]


def test_a_document_of_its_own_is_made_and_opened(page_as, sessions, acme):
    page = page_as("admin").visit("usage.py", **LATE)
    page = tick(page, row=0)
    page.button(key="late_own").click().run()
    page.text_input(key="late_tax_rate").set_value("19")
    page.button(key="late_own").click()
    page.button(key="do_settle").click().run()

    assert not page.exception
    with sessions() as session:
        totals = session.scalars(select(Invoice.total_minor).order_by(Invoice.id)).all()
    # October was billed without tax, which holds for what came late for it.
    assert totals == [1_00, 1_00]
    assert page.title[0].value.startswith("Draft")


def test_what_is_no_tax_rate_is_refused(page_as, sessions, acme):
    page = page_as("admin").visit("usage.py", **LATE)
    page = tick(page, row=0)
    page.button(key="late_own").click().run()
    page.text_input(key="late_tax_rate").set_value("much")
    page.button(key="late_own").click()
    page.button(key="do_settle").click().run()

    assert "The tax rate is not a number" in page.error[0].value
    assert [one.state for one in items(sessions)] == ["open", "open"]


def test_the_business_says_what_becomes_of_them(page_as, sessions, acme):
    page = page_as("admin").visit("usage.py", **LATE)
    assert "Late items are put on the next invoice" in [one.value for one in page.main.markdown]
    page.button(key="late_setting").click().run()
    page.selectbox(key="late_way_1").set_value(LateUsage.WAIVE)
    page.button(key="late_setting").click().run()
    page.text_input(key="late_way_reason").set_value("Too little")
    page.button(key="late_setting").click()
    page.button(key="save_late_way").click().run()

    assert not page.exception
    with sessions() as session:
        assert session.execute(select(Business.late_usage, Business.late_usage_reason)).one() == ("waive", "Too little")


@EVERY_ROLE
def test_billed_periods_open_into_lines_days_users_and_events(page_as, acme, role):
    page = page_as(role).visit("usage.py", organization=str(acme), usage_tab="Invoices")
    columns = ["Period", "Total", "Currency", "State"]
    assert page.dataframe[0].value[columns].values.tolist() == [["October 2023", "1.00", "USD", "Open"]]
    page = press(page, "Lines", row=0)
    told = page.dataframe[1].value
    assert told[["Used", "Included", "Amount"]].values.tolist() == [["3", "2", "1.00"]]
    assert told["Line"].iloc[0].startswith("API calls, Oct 1 – 31, 2023: used 3, included 2, 1 × 1.00 USD")

    page = press(page, "Explain", row=0, table=1)
    assert not page.exception
    # As it was billed: without the event that came late, and with the one that was withdrawn.
    assert "Sum of its days: 3 = the figure ✓" in [one.value for one in page.success]
    assert page.dataframe[2].value[["Calls", "Users"]].values.tolist() == [[3, 3]]


def test_an_organization_without_a_bill_says_so(page_as, sessions):
    with sessions.begin() as session:
        acme = a_customer(session, priced=False)
    page = page_as("finance").visit("usage.py", organization=str(acme), usage_tab="Invoices")
    assert not page.exception
    assert "No usage of this organization has been billed yet" in page.info[0].value
