"""Invoices of reports: drafted once, with their lines linked to what they bill."""

from datetime import date

from billing_core.dates import Period, utc_now
from billing_core.identity import SYSTEM
from billing_core.invoices import from_reports
from tests.pages.filled import fill
from tests.pages.invoicing import content_of, field, ids, shown, stored
from tests.reports.company import billed


def test_a_report_becomes_a_draft_once(page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("invoice_editor.py", report=str(filled.bolts_march))
    assert "7.00 EUR" in shown(page)
    page.text_input(key="report_tax").set_value("19").run()
    page.button(key="create_from_report").click().run()

    assert not page.exception
    (invoice_id,) = ids(sessions)
    # 7.00 and 19 % of it, 1.33.
    assert stored(sessions, invoice_id).total_minor == 833
    assert f"Bills report #{filled.bolts_march}" in shown(page)

    page = page_as("admin").visit("invoice_editor.py", report=str(filled.bolts_march))
    assert "is on a draft" in page.warning[0].value
    assert page.button(key="create_from_report").disabled
    page.text_input(key="report_again").set_value("The first draft went to another address").run()
    page.radio(key="report_lines").set_value(from_reports.Grouping.TOTAL).run()
    page.button(key="create_from_report").click().run()
    assert len(ids(sessions)) == 2


def test_what_another_report_bills_needs_a_reason(page_as, sessions):
    """The month is invoiced; then somebody wants to invoice its first three days, with one order of 4.00."""
    filled = fill(sessions)
    with sessions.begin() as session:
        first = from_reports.draft_from_report(session, SYSTEM, filled.march, now=utc_now(), today=date(2026, 4, 2)).id
        days = billed(session, filled.acme, Period(date(2026, 3, 1), date(2026, 3, 3)))
    page = page_as("admin").visit("invoice_editor.py", report=str(days.id))
    assert "Order M\\-1 is billed on a draft" in page.warning[0].value
    assert "2 charges of this report, 4" in page.warning[0].value
    assert page.button(key=f"billed_before_{first}")
    assert page.button(key="create_from_report").disabled
    page.text_input(key="report_again").set_value("Delivered twice").run()
    page.button(key="create_from_report").click().run()
    assert len(ids(sessions)) == 2


def test_lines_of_a_report_stay_linked_while_they_are_edited(page_as, sessions):
    filled = fill(sessions)
    page = page_as("admin").visit("invoice_editor.py", report=str(filled.march))
    page.button(key="create_from_report").click().run()
    (invoice_id,) = ids(sessions)
    field(page, "notes").set_value("Thank you").run()

    kept = content_of(sessions, invoice_id)
    assert kept.notes == "Thank you"
    assert {line.report_id for line in kept.lines} == {filled.march}
