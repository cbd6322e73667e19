"""Addresses of downloads: what a page shows, as its route names it."""

from datetime import date
from decimal import Decimal

from billing_core.invoices.lifecycle import InvoiceStatus
from pages.ui import downloads


def test_facts_are_written_as_the_routes_read_them():
    assert (
        downloads.address("reports.xlsx", start=date(2026, 3, 1), smallest=Decimal("12.50"), current_only=False)
        == "/downloads/reports.xlsx?start=2026-03-01&smallest=12.5&current_only=false"
    )


def test_empty_facts_are_left_out_and_several_values_named_one_by_one():
    status = (InvoiceStatus.SENT, InvoiceStatus.PAID)
    assert downloads.address("invoices.zip", status=status, text="", customer_id=None, ids=()) == (
        "/downloads/invoices.zip?status=sent&status=paid"
    )
    assert downloads.address("invoices/7.pdf") == "/downloads/invoices/7.pdf"


def test_csv_is_asked_for_as_excel_reads_it():
    assert downloads.address("ageing.csv", currency="EUR") == "/downloads/ageing.csv?currency=EUR&excel=1"
