"""Reports as workbook and PDF, read back by other libraries."""

import io
import re
from datetime import date, datetime, time
from decimal import Decimal
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape
from pypdf import PdfReader
from sqlalchemy import update

from billing_core.identity import SYSTEM
from billing_core.reports.exports import files, pdf, xlsx_rows, xlsx_tables
from billing_core.reports.models import ReportOrder
from tests.reports.exported import FIRST_DAY, MADE_AT, a_customer, a_report


def workbook(session, report):
    content = b"".join(files.chunks(session, SYSTEM, report.id, "xlsx"))
    return load_workbook(io.BytesIO(content))


def pages(session, report):
    content = b"".join(files.chunks(session, SYSTEM, report.id, "pdf"))
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def rows(sheet):
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_the_workbook_has_orders_and_charges_as_numbers_and_dates(session):
    report = a_report(session, a_customer(session), (50000, 1), (7, 0), reference_number="=1+1")
    book = workbook(session, report)

    assert book.sheetnames == ["Summary", "Orders", "Charges", "Questions", "Prices"]
    first_day = datetime.combine(FIRST_DAY, time())
    assert rows(book["Orders"])[1] == [
        *("ACME-0", "=1+1", first_day, "completed", "John Smith", "123 Test St", 4, 2, 500.01),
    ]
    assert rows(book["Charges"])[2] == [
        *("ACME-0", "=1+1", first_day, 'Ship "fast"', "by weight", 2.5, 0, 2, None, "weight > 2", 0),
    ]
    assert rows(book["Charges"])[3] == [
        *("ACME-0", "=1+1", first_day, 'Ship "fast"', "by weight", 1, 0.01, None, "minimum", "weight > 2", 0.01),
    ]
    assert len(rows(book["Charges"])) == 1 + 4
    assert rows(book["Questions"])[1:] == [
        ["ACME-0", "Nobody said how many units of this SKU a case holds", 'Ship "fast"', "=SKU"]
    ]
    # Picking was charged at 1.25 in both orders: 2 × 2.5 × 1.25 is 6.25, which is not what they were charged.
    month = [datetime.combine(date(2023, 1, day), time()) for day in (1, 31)]
    assert rows(book["Prices"])[1:] == [
        ["Picking", "per item", *month, None, None, 2, 5, 1.25, 6.25],
        ["Picking", "per item", *month, None, "rounding", 2, 1, 493.82, 493.82],
        ['Ship "fast"', "by weight", *month, None, "minimum", 1, 1, 0.01, 0.01],
    ]
    assert [row[0].is_date for row in book["Orders"]["C2:C3"]] == [True, True]


def test_a_formula_in_a_text_cell_of_the_workbook_stays_text(session):
    report = a_report(session, a_customer(session, name="=1+1"), (100, 0), reference_number="=1+1")
    book = workbook(session, report)
    assert book["Orders"]["B2"].data_type == "s"
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}


@pytest.mark.parametrize(
    "name", ['A & B <C> "D"', "<r>x</r>", "<r>&</r>", " around ", "two\nlines", "_x0041_", "\a\r\uffff", "Łódź 😀"]
)
def test_any_text_comes_back_from_the_workbook_as_it_was(session, name):
    book = workbook(session, a_report(session, a_customer(session, name=name), (100, 0), ship_to_name=name))
    assert unescape(book["Orders"]["E2"].value) == name
    assert unescape(book["Summary"]["B4"].value).strip() == name.strip()


@pytest.mark.parametrize(
    ("day", "number"),
    [(date(1900, 1, 1), "1"), (date(1900, 2, 28), "59"), (date(1900, 3, 1), "61"), (date(2008, 1, 1), "39448")],
)
def test_days_are_counted_as_excel_does_with_its_29_february_1900(day, number):
    assert xlsx_rows.day(day) == number


def test_the_workbook_begins_before_its_rows_are_read(session):
    report = a_report(session, a_customer(session), (100, 0))
    chunks = files.chunks(session, SYSTEM, report.id, "xlsx")
    begun = next(chunks)
    session.execute(update(ReportOrder).values(order_number="LATER"))
    book = load_workbook(io.BytesIO(begun + b"".join(chunks)))
    assert book["Orders"]["A2"].value == "LATER"


def test_the_workbook_is_a_plain_archive_and_says_its_sizes(session):
    content = b"".join(files.chunks(session, SYSTEM, a_report(session, a_customer(session), (1, 0)).id, "xlsx"))
    with ZipFile(io.BytesIO(content)) as archive:
        # 4.5 would be ZIP64, which not every spreadsheet program reads.
        assert {entry.extract_version for entry in archive.infolist()} == {20}
        sheets = [archive.read(f"xl/worksheets/sheet{number}.xml") for number in (2, 3, 4)]
    assert [re.search(b'<dimension ref="([^"]+)"', sheet)[1] for sheet in sheets] == [b"A1:I2", b"A1:K2", b"A1:D2"]


def test_a_report_of_nothing_is_a_workbook_all_the_same(session):
    book = workbook(session, a_report(session, a_customer(session)))
    assert [(sheet.title, sheet.max_row) for sheet in book][1:] == [("Orders", 1), ("Charges", 1)]


def test_headers_of_the_workbook_stay_in_view(session):
    book = workbook(session, a_report(session, a_customer(session), (100, 0)))
    assert [book[name].freeze_panes for name in ("Orders", "Charges", "Questions")] == ["A2"] * 3
    assert book["Orders"].auto_filter.ref == "A1:I2"


def test_amounts_in_the_workbook_show_the_digits_of_their_currency(session):
    book = workbook(session, a_report(session, a_customer(session, currency="JPY"), (1234, 0)))
    cell = book["Orders"]["I2"]
    assert (cell.value, cell.number_format) == (1234, "#,##0")


def test_the_summary_adds_up_to_the_charges(session):
    report = a_report(session, a_customer(session), (50000, 1), (7, 0))
    book = workbook(session, report)
    charged = sum(Decimal(str(row[-1])) for row in rows(book["Charges"])[1:])
    summary = {row[0]: row for row in rows(book["Summary"])}
    assert charged == Decimal("500.08") == Decimal(str(summary["Total"][4]))
    assert summary["Picking"][4] == 500.07


def test_rows_beyond_what_a_sheet_holds_go_on_in_the_next(session, monkeypatch):
    monkeypatch.setattr(xlsx_tables, "MOST_ROWS", 2)
    book = workbook(session, a_report(session, a_customer(session), *[(100, 0)] * 5))
    assert book.sheetnames == ["Summary", *_three("Orders"), *_three("Charges"), "Questions", "Prices"]
    assert [len(rows(book[name])) - 1 for name in _three("Orders")] == [2, 2, 1]
    numbers = [row[0] for name in _three("Charges") for row in rows(book[name])[1:]]
    assert numbers == [f"ACME-{number}" for number in range(5)]


def _three(name):
    return [name, f"{name} 2", f"{name} 3"]


def test_the_pdf_says_who_owes_what_for_which_month(session):
    report = a_report(session, a_customer(session, name="Θάλασσα Łódź Ж"), (50000, 100000), (7, 0))
    (page,) = pages(session, report)
    for text in ("Billing report", "Θάλασσα Łódź Ж", "January 2023", "1,500.07", "Picking", 'Ship "fast"', "1,000.00"):
        assert text in page
    assert "Nobody said how many units" in page
    assert "Page 1 of 1" in page


def test_names_in_every_script_are_legible_in_the_pdf(session):
    report = a_report(session, a_customer(session, name="株式会社サンプル"), (100, 0), reference_number="배송 Жуков")
    first, *_ = pages(session, report)
    assert "株式会社サンプル" in first
    assert "배송 Жуков" in first


def test_a_pdf_over_pages_repeats_the_header_of_its_table_and_counts_pages(session):
    report = a_report(session, a_customer(session), *[(100, 0)] * 70)
    found = pages(session, report)
    assert len(found) == 3
    assert all("Reference" in page and "Ship to" in page for page in found)
    assert [f"Page {number} of 3" in page for number, page in enumerate(found, 1)] == [True] * 3
    # Each order stands on exactly one page.
    assert sum(page.count("ACME-") for page in found) == 70 + 1


def test_a_long_pdf_stops_and_says_so(session, monkeypatch):
    monkeypatch.setattr(pdf, "MOST_ORDERS", 3)
    report = a_report(session, a_customer(session), *[(100, 0)] * 5)
    (page,) = pages(session, report)
    assert "The first 3 of 5 orders" in page
    assert "ACME-2" in page
    assert "ACME-3" not in page
    assert "5.00" in page


def test_a_report_that_no_longer_counts_says_so_on_paper(session):
    customer = a_customer(session)
    report, successor = a_report(session, customer, (100, 0)), a_report(session, a_customer(session, ref="B"), (1, 0))
    report.superseded_at, report.superseded_by_id = MADE_AT, successor.id
    session.flush()
    (page,) = pages(session, report)
    assert f"report {successor.id} has replaced it" in page


@pytest.mark.parametrize("amounts", [(), ((0, 0),)])
def test_a_report_of_nothing_is_a_page_all_the_same(session, amounts):
    (page,) = pages(session, a_report(session, a_customer(session), *amounts))
    assert "0.00" in page


def test_the_same_report_gives_the_same_pdf(session):
    report = a_report(session, a_customer(session), (100, 0))
    one, other = (b"".join(files.chunks(session, SYSTEM, report.id, "pdf")) for _ in range(2))
    assert one == other


def test_a_number_too_long_for_its_column_is_never_cut(session):
    (page,) = pages(session, a_report(session, a_customer(session), (9_007_199_254_740_993_12, 0)))
    assert page.count("9,007,199,254,740,993.12") == 4
