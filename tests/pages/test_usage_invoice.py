"""Making the invoice of one organization's usage in a month, on its page."""

import pytest
from sqlalchemy import select

from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import queries as invoices
from billing_core.invoices import service
from billing_core.invoices.models import Invoice, InvoiceState
from billing_core.metering import ingestion
from billing_core.metering.models import UsagePeriod
from billing_core.plans import service as plans
from billing_core.usage import billing
from tests.pages.as_read import as_read
from tests.pages.roles import EVERY_ROLE
from tests.plans.agreed import NOW, a_plan, terms
from tests.reports.company import a_customer

pytestmark = pytest.mark.slow

LATER = utc_now()
LAST = Period.last_month(LATER.date())
BEFORE = LAST.before()
MONTH = f"{LAST.start:%B %Y}"


def tell(session, month: Period, *names: str) -> None:
    at = f"{month.start.replace(day=5)}T12:00:00Z"
    given = [{"id": f"{month.start}-{name}", "customer_ref": "ACME", "time": at, "user": name} for name in names]
    ingestion.record(session, SYSTEM, given, now=LATER, atomic=True)


@pytest.fixture
def acme(sessions) -> int:
    """Two calls are included and one more costs 1.50: three were made in the last month."""
    with sessions.begin() as session:
        acme = a_customer(session, name="Acme Corp", priced=False, email="ap@acme.example")
        plan = a_plan(session, agreed=terms(2, "1.5"))
        plans.put_on(session, SYSTEM, acme, plan, valid_from=BEFORE.start, now=NOW)
        tell(session, LAST, "ann", "ben", "carl")
    return acme


def opened(page_as, customer_id: int, month: str = MONTH):
    page = page_as("admin").visit("usage.py", organization=str(customer_id), usage_month=month)
    return page.button(key="make_usage_invoice").click().run()


def confirm(page):
    """Here the whole page runs, not the dialog alone, so its opener is clicked again with it."""
    page.button(key="make_usage_invoice").click()
    return page.button(key="do_make_usage_invoice").click().run()


def proposed(page):
    return page.dataframe[-1].value[["Line", "Amount", "Currency"]].values.tolist()


def total(page):
    return as_read(page.markdown[-1].value).replace("\N{NO-BREAK SPACE}", " ")


def drafted(sessions):
    with sessions() as session:
        (invoice_id,) = session.scalars(select(Invoice.id).where(Invoice.state == InvoiceState.DRAFT)).all()
        lines = [line.description for line in invoices.lines(session, invoice_id)]
        return lines, invoices.one(session, SYSTEM, invoice_id).total_minor


@EVERY_ROLE
def test_those_who_may_make_invoices_are_offered_it(page_as, acme, role):
    page = page_as(role).visit("usage.py", organization=str(acme), usage_month=MONTH)
    assert not page.exception
    assert any(button.label == "Make the invoice" for button in page.main.button) == (role == "admin")


def test_the_lines_are_shown_then_drafted(page_as, sessions, acme):
    page = opened(page_as, acme)
    ((words, *amount),) = proposed(page)
    assert words.startswith("API calls, ")
    assert words.endswith(": used 3, included 2, 1 × 1.50 USD")
    assert amount == ["1.50", "USD"]
    assert total(page) == "Total **1.50 USD**"
    with sessions() as session:
        assert session.scalars(select(Invoice.id)).all() == []
    confirm(page)

    assert not page.exception
    assert drafted(sessions) == ([words], 150)
    assert page.query_params["invoice"]


def test_the_total_is_told_with_its_tax(page_as, sessions, acme):
    page = opened(page_as, acme)
    page.text_input(key="usage_invoice_tax").set_value("19")
    page.button(key="make_usage_invoice").click().run()
    # 19 % of 1.50 are 0.285, rounded half away from zero.
    assert total(page) == "Total **1.79 USD** = 1.50 USD + 19 % tax of 0.29 USD"
    confirm(page)
    assert drafted(sessions)[1] == 179


def test_what_came_late_for_an_earlier_month_is_on_it(page_as, sessions, acme):
    with sessions.begin() as session:
        tell(session, BEFORE, "ann", "ben")
        billing.bill(session, SYSTEM, acme, BEFORE, now=LATER, today=LATER.date())
        tell(session, BEFORE, "dora")
    page = opened(page_as, acme)
    lines = proposed(page)
    assert [line[1] for line in lines] == ["1.50", "1.50"]
    assert lines[1][0].startswith("Late usage: API calls, ")
    assert lines[1][0].endswith(": +1 (used 3, included 2, 1 × 1.50 USD: 1.50 USD instead of 0.00 USD)")
    confirm(page)
    assert drafted(sessions) == ([line[0] for line in lines], 300)


def test_a_month_that_comes_to_nothing_is_closed(page_as, sessions, acme):
    with sessions.begin() as session:
        tell(session, BEFORE, "ann")
    page = opened(page_as, acme, f"{BEFORE.start:%B %Y}")
    assert "It comes to nothing" in page.info[-1].value
    confirm(page)

    assert not page.exception
    with sessions() as session:
        assert session.scalars(select(UsagePeriod.invoice_id)).all() == [None]
        assert session.scalars(select(Invoice.id)).all() == []
    page = opened(page_as, acme, f"{BEFORE.start:%B %Y}")
    assert "is billed already" in page.info[-1].value


def test_a_month_that_is_billed_leads_to_its_invoice(page_as, sessions, acme):
    with sessions.begin() as session:
        made = billing.bill(session, SYSTEM, acme, LAST, now=LATER, today=LATER.date())
        assert made.invoice_id is not None
        service.send(session, SYSTEM, made.invoice_id, now=LATER)
    page = opened(page_as, acme)
    assert "is billed already" in page.info[-1].value
    page.button(key="make_usage_invoice").click()
    page.button(key="open_usage_invoice").click().run()
    assert page.query_params["invoice"] == str(made.invoice_id)


def test_a_month_that_is_not_over_says_so(page_as, acme):
    page = opened(page_as, acme, "")
    assert "is not over in" in page.warning[-1].value
    assert not [button for button in page.button if button.key == "do_make_usage_invoice"]


def test_what_has_no_price_is_named_instead_of_billed(page_as, sessions, acme):
    with sessions.begin() as session:
        plans.take_off(session, SYSTEM, acme, valid_from=LAST.start, now=NOW)
    page = opened(page_as, acme)
    assert "cannot be priced" in page.warning[-1].value
