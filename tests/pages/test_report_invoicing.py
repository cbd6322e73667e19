"""From a report to its invoice: one at a time, and several after a rehearsal."""

from io import BytesIO

import pytest
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import Kind
from billing_core.imports import service as imports
from billing_core.imports.incoming import Incoming
from billing_core.invoices import from_reports, service
from billing_core.invoices.models import Invoice, InvoicedReport, InvoiceState
from tests.pages.as_read import as_read
from tests.pages.filled import FEBRUARY, HOSTILE, fill
from tests.reports.company import LATER, MARCH, a_customer, an_order, billed


@pytest.fixture
def filled(sessions):
    """ACME's February (12.00 USD) is invoiced as INV-…-001; its March (8.00) and BOLT's (7.00 EUR) are not."""
    made = fill(sessions)
    now = utc_now()
    with sessions.begin() as session:
        draft = from_reports.draft_from_report(session, SYSTEM, made.february, now=now, today=now.date())
        service.send(session, SYSTEM, draft.id, now=now)
    return made


def number(sessions) -> str:
    with sessions() as session:
        return session.scalars(select(Invoice.number).where(Invoice.number.is_not(None))).one()


def test_the_list_says_which_invoice_bills_each_report(page_as, sessions, filled):
    page = page_as("finance").visit("reports.py", reports_sort="Total ↓")

    assert not page.exception
    shown = page.dataframe[0].value[["Customer", "Total", "Invoice"]].values.tolist()
    assert shown == [[HOSTILE, "12.00", number(sessions)], [HOSTILE, "8.00", ""], ["Bolt GmbH", "7.00", ""]]


def test_a_report_leads_to_its_invoice(page_as, sessions, filled):
    page = page_as("finance").visit("reports.py", report=str(filled.february))
    assert not page.exception
    assert "invoice_report" not in {button.key for button in page.button}
    with sessions() as session:
        (invoice_id,) = session.scalars(select(InvoicedReport.invoice_id))
    page.button(key=f"open_invoice_{invoice_id}").click().run()

    assert not page.exception
    assert page.query_params == {"invoice": str(invoice_id)}


def test_orders_that_have_changed_are_said_in_the_list_and_on_the_report(page_as, sessions, filled):
    """ACME's M-1, of 4.00, moves from March to February, which is invoiced."""
    content = b"order_number,customer_ref,order_date,status\nM-1,ACME,2026-02-27,shipped\n"
    imports.apply(sessions, SYSTEM, Incoming(Kind.ORDERS, BytesIO(content), "orders.csv"), now=LATER)

    page = page_as("finance").visit("reports.py", reports_sort="Total ↓")
    assert not page.exception
    changed = [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in page.dataframe[0].value["Orders changed"]]
    assert changed == ["1 (+4.00 USD)", "1 (-4.00 USD)", ""]
    page = page_as("finance").visit("reports.py", report=str(filled.february))
    assert any("orders changed: 1, difference +4.00 USD" in as_read(warning.value) for warning in page.warning)


def test_an_admin_goes_from_a_report_to_the_page_that_makes_its_draft(page_as, filled):
    page = page_as("admin").visit("reports.py", report=str(filled.march))
    button = page.button(key="invoice_report")
    assert button.label == "Invoice this report"
    button.click().run()

    assert not page.exception
    assert page.query_params == {"report": str(filled.march)}
    assert page.title[0].value == "Invoice a report"


def test_what_is_invoiced_already_is_offered_as_a_second_time(page_as, filled):
    page = page_as("admin").visit("reports.py", report=str(filled.february))
    assert page.button(key="invoice_report").label == "Invoice it again"


def test_a_newer_version_names_the_invoice_of_the_older_one(page_as, sessions, filled):
    with sessions.begin() as session:
        an_order(session, filled.acme, "F-9", on=FEBRUARY.start)
        newer = billed(session, filled.acme, FEBRUARY, now=LATER).id
    page = page_as("finance").visit("reports.py", report=str(newer))
    assert not page.exception
    assert any("as version 1" in text.value for text in page.markdown)


def chosen(page_as, role="admin", **query):
    page = page_as(role).visit("reports.py", reports_sort="Total ↓", **query)
    return next(box for box in page.checkbox if box.label.startswith("All ")).check().run()


def test_only_who_writes_invoices_is_offered_to_invoice_several(page_as, filled):
    page = page_as("manager").visit("reports.py")
    assert "invoice_reports" not in {one.key for one in page.button}


def test_several_reports_are_rehearsed_and_become_a_draft_each(page_as, sessions, filled):
    with sessions.begin() as session:
        nothing = a_customer(session, "ZERO", name="Zero Ltd")
        billed(session, nothing, MARCH)
    page = chosen(page_as)
    page.button(key="invoice_reports").click().run()
    assert not page.exception
    left_out, going = (table.value for table in page.dataframe[-2:])
    assert dict(left_out[["Customer", "Why"]].values.tolist()) == {
        HOSTILE: f"Is on {number(sessions)} already",
        "Zero Ltd": "Comes to nothing",
    }
    assert going[["Customer", "Net", "Total", "Currency"]].values.tolist() == [
        [HOSTILE, "8.00", "8.00", "USD"],
        ["Bolt GmbH", "7.00", "7.00", "EUR"],
    ]
    with sessions() as session:
        assert len(session.scalars(select(InvoicedReport.report_id)).all()) == 1

    page.text_input(key="invoicing_tax").set_value("7.5")
    page.button(key="invoice_reports").click().run()
    # 8.00 + 0.60; 7.00 + 0.525, which is rounded to 0.53.
    assert list(page.dataframe[-1].value["Total"]) == ["8.60", "7.53"]
    page.button(key="invoice_reports").click()
    page.button(key="make").click().run()

    assert not page.exception
    assert page.query_params == {"invoices_tab": "draft"}
    with sessions() as session:
        drafts = select(Invoice.total_minor, Invoice.currency).where(Invoice.state == InvoiceState.DRAFT)
        assert set(session.execute(drafts).all()) == {(860, "USD"), (753, "EUR")}
        assert set(session.scalars(select(InvoicedReport.report_id))) == {
            *(filled.february, filled.march, filled.bolts_march),
        }


@pytest.mark.parametrize(("rate", "reason"), [("101", "between 0 and 100"), ("much", "is not a number")])
def test_a_tax_rate_that_is_none_makes_no_drafts(page_as, filled, rate, reason):
    page = chosen(page_as)
    page.button(key="invoice_reports").click().run()
    page.text_input(key="invoicing_tax").set_value(rate)
    page.button(key="invoice_reports").click().run()
    assert reason in page.error[0].value
    assert "make" not in {button.key for button in page.button}
