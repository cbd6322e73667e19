"""A month of all customers as one workbook, one PDF and one CSV: what they say is worked out by hand."""

import csv
import io
from datetime import date, datetime, time
from decimal import Decimal

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.reports.exports import pdf
from billing_core.reports.exports.together import charges, selection
from billing_core.reports.exports.together.csv import charges_as_csv
from billing_core.reports.exports.together.pdf import document
from billing_core.reports.exports.together.xlsx import workbook
from billing_core.reports.queries import ReportFilter
from tests.rating import cards
from tests.rating.examples import a_rate, of_items
from tests.reports.exported import FIRST_DAY, MADE_AT, a_customer, a_report
from tests.reports.test_exporting_explained import TIERS, reported

# As a workbook holds its days.
MONTH = [datetime.combine(date(2023, 1, day), time()) for day in (1, 31)]


@pytest.fixture
def company(session):
    """Two customers in dollars and one in yen: 500.01 + 0.07, 20.00, and 1,234."""
    zeta = a_report(session, a_customer(session, ref="Z", name="Zeta"), (50000, 1), (7, 0), reference_number="=1+1")
    acme = a_report(session, a_customer(session, ref="A", name="=Acme"), (2000, 0))
    yen = a_report(session, a_customer(session, ref="Y", name="Yen KK", currency="JPY"), (1234, 0))
    return zeta, acme, yen


def everything(session):
    return selection.matching(session, SYSTEM, ReportFilter())


def book_of(session, chosen):
    return load_workbook(io.BytesIO(b"".join(workbook(session, chosen, now=MADE_AT).chunks)))


def rows(sheet):
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def pages(session, chosen):
    content = b"".join(document(session, chosen).chunks)
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def listed(session, chosen, **options):
    text = b"".join(charges_as_csv(session, chosen, **options).chunks).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_summary_has_a_line_for_each_currency_and_none_for_all_of_them(session, company):
    summary = rows(book_of(session, everything(session))["Summary"])

    heads = ["Currency", "Reports", "Customers", "Orders", "Charges", "Open questions", "Replaced reports", "Total"]
    at = summary.index(heads)
    assert summary[at + 1 :] == [["JPY", 1, 1, 1, 1, 1, 0, 1234], ["USD", 2, 2, 3, 4, 2, 0, 520.08]]
    facts = {row[0]: row[1] for row in summary[:at] if row[0]}
    assert (facts["From"], facts["To"], facts["Reports"]) == (*MONTH, 3)


def test_services_are_added_up_within_their_currency(session, company):
    found = rows(book_of(session, everything(session))["By service"])
    assert found == [
        ["Currency", "Service", "Charged by", "Reports", "Orders", "Quantity", "Amount"],
        ["JPY", "Picking", "per item", 1, 1, 2.5, 1234],
        ["USD", "Picking", "per item", 2, 3, 5, 520.07],
        ["USD", 'Ship "fast"', "by weight", 1, 2, 2.5, 0.01],
    ]


def test_every_report_has_a_row_by_the_names_of_the_customers(session, company):
    zeta, acme, yen = company
    assert rows(book_of(session, everything(session))["Reports"])[1:] == [
        [acme.id, "A", "=Acme", *MONTH, 1, "all", "current", 1, 1, 1, "USD", 20],
        [yen.id, "Y", "Yen KK", *MONTH, 1, "all", "current", 1, 1, 1, "JPY", 1234],
        [zeta.id, "Z", "Zeta", *MONTH, 1, "all", "current", 2, 3, 1, "USD", 500.08],
    ]


def test_every_charge_says_its_order_customer_date_and_currency(session, company):
    zeta, acme, yen = company
    book = book_of(session, everything(session))

    assert book.sheetnames == ["Summary", "By service", "Reports", "Charges", "Questions"]
    first, second = (datetime.combine(date(2023, 1, day), time()) for day in (FIRST_DAY.day, FIRST_DAY.day + 1))
    picked = ["Picking", "per item", 2.5, 1.25, None, None, None]
    shipped = ['Ship "fast"', "by weight"]
    assert rows(book["Charges"])[1:] == [
        ["A-0", "REF-1", first, "A", "=Acme", *picked, "USD", 20, acme.id],
        ["Y-0", "REF-1", first, "Y", "Yen KK", *picked, "JPY", 1234, yen.id],
        ["Z-0", "=1+1", first, "Z", "Zeta", *picked, "USD", 500, zeta.id],
        ["Z-0", "=1+1", first, "Z", "Zeta", *shipped, 2.5, 0, 2, None, "weight > 2", "USD", 0, zeta.id],
        ["Z-0", "=1+1", first, "Z", "Zeta", *shipped, 1, 0.01, None, "minimum", "weight > 2", "USD", 0.01, zeta.id],
        ["Z-1", "=1+1", second, "Z", "Zeta", *picked, "USD", 0.07, zeta.id],
    ]
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
    assert [row[1:3] + row[5:] for row in rows(book["Questions"])[1:]] == [
        ["A", "=Acme", "=SKU", acme.id],
        ["Y", "Yen KK", "=SKU", yen.id],
        ["Z", "Zeta", "=SKU", zeta.id],
    ]


def test_the_charges_of_each_currency_come_to_its_total_also_in_many_batches(session, company, monkeypatch):
    monkeypatch.setattr(selection, "_TOGETHER", 1)
    chosen = everything(session)
    assert len(list(chosen.batches())) == 3
    found = rows(book_of(session, chosen)["Charges"])[1:]
    by_currency = {
        currency: sum(Decimal(str(row[13])) for row in found if row[12] == currency) for currency in ("JPY", "USD")
    }
    assert by_currency == {"JPY": Decimal(1234), "USD": Decimal("520.08")}


def test_the_csv_has_the_rows_of_the_workbook_and_runs_no_formula(session, company):
    found = listed(session, everything(session))
    assert [(row["order_number"], row["customer_ref"], row["currency"], row["amount"]) for row in found] == [
        ("A-0", "A", "USD", "20.00"),
        ("Y-0", "Y", "JPY", "1234"),
        ("Z-0", "Z", "USD", "500.00"),
        ("Z-0", "Z", "USD", "0.00"),
        ("Z-0", "Z", "USD", "0.01"),
        ("Z-1", "Z", "USD", "0.07"),
    ]
    assert (found[0]["customer_name"], found[2]["reference_number"]) == ("'=Acme", "'=1+1")
    assert found[4]["bound"] == "minimum"


def test_tiers_and_what_a_maximum_takes_off_are_rows_of_their_own(session):
    """120 items in tiers are 5.00 + 36.00 + 2.50; 15 of 1.00 each are at most 10.00."""
    tiered = reported(session, [a_rate(tiers=TIERS)], of_items(120))
    capped = reported(session, [a_rate(maximum=1000)], of_items(15), customer_id=2)
    chosen = selection.named(session, SYSTEM, [tiered, capped])

    found = listed(session, chosen)
    assert sorted(
        (row["quantity"], row["unit_price"], row["tier"], row["bound"], row["amount"]) for row in found
    ) == sorted(
        [
            ("10", "0.5", "1", "", "5.00"),
            ("90", "0.4", "2", "", "36.00"),
            ("20", "0.125", "3", "", "2.50"),
            ("15", "1", "", "", "15.00"),
            ("1", "-5", "", "maximum", "-5.00"),
        ]
    )
    assert charges.count(session, chosen) == 5
    assert len(rows(book_of(session, chosen)["Charges"])) == 1 + 5
    assert chosen.period == cards.PERIOD


def test_the_document_begins_with_all_reports_and_their_totals_by_currency(session, company):
    zeta, acme, yen = company
    front, *others = pages(session, everything(session))

    assert "Billing reports" in front
    assert "January 2023" in front
    assert "520.08" in front
    assert "1,234 JPY" in front
    assert "1,754.08" not in front, "two currencies are never one number"
    assert [f"No. {report.id}" in page for report, page in zip((acme, yen, zeta), others, strict=True)] == [True] * 3
    assert all("Orders" in page and "-0" in page for page in others)
    assert "Page 4 of 4" in others[-1]


def test_the_document_leaves_orders_to_the_workbook_where_they_are_many(session, company, monkeypatch):
    monkeypatch.setattr("billing_core.reports.exports.together.pdf.MOST_ORDERS", 3)
    _, *others = pages(session, everything(session))
    assert all("which the workbook of these reports lists" in page for page in others)
    assert "Z-0" not in "".join(page.partition("Open questions")[0] for page in others)
    assert pdf.MOST_ORDERS == 1_000


def test_a_document_is_made_of_so_many_reports_and_the_workbook_of_more(session, company, monkeypatch):
    assert selection.MOST_DOCUMENTS == 500
    monkeypatch.setattr(selection, "MOST_DOCUMENTS", 2)
    with pytest.raises(Invalid, match="the workbook takes all of them"):
        document(session, everything(session))
    assert len(rows(book_of(session, everything(session))["Reports"])) == 1 + 3


def test_replaced_versions_are_said_to_be_in_the_sums(session, company):
    zeta, acme, _ = company
    acme.superseded_at, acme.superseded_by_id = MADE_AT, zeta.id
    session.flush()
    assert [report.id for report in everything(session).reports] != [acme.id]

    chosen = selection.matching(session, SYSTEM, ReportFilter(current_only=False, currency="USD"))
    summary = rows(book_of(session, chosen)["Summary"])
    assert summary[-3][:8] == ["USD", 2, 2, 3, 4, 2, 1, 520.08]
    assert "no longer count" in summary[-1][0]
    assert "replaced by newer versions" in pages(session, chosen)[0]


def test_the_file_is_called_by_the_month_or_by_its_days(session, company):
    assert everything(session).file_name == "billing_reports_2023-01"
    company[0].period_end = date(2023, 3, 31)
    session.flush()
    assert everything(session).file_name == "billing_reports_2023-01-01_2023-03-31"


def test_what_is_chosen_is_what_the_actor_may_see_and_export(session, company):
    zeta, acme, _ = company
    finance = actor_with(Role.FINANCE, user_id=1, name="Fay")
    bound = actor_with(Role.MANAGER, user_id=2, name="Max", customer_id=acme.customer_id)

    for attempt in (
        lambda: selection.matching(session, finance, ReportFilter()),
        lambda: selection.named(session, finance, [acme.id]),
    ):
        with pytest.raises(Forbidden):
            attempt()
    assert selection.matching(session, bound, ReportFilter()).ids == [acme.id]
    assert selection.named(session, bound, [acme.id]).ids == [acme.id]
    with pytest.raises(NotFound, match=f"There is no report {zeta.id}"):
        selection.named(session, bound, [acme.id, zeta.id])
    with pytest.raises(NotFound, match="No report matches"):
        selection.matching(session, bound, ReportFilter(customer_id=zeta.customer_id))
    with pytest.raises(Invalid):
        selection.named(session, SYSTEM, [])
    with pytest.raises(Invalid):
        selection.matching(session, SYSTEM, ReportFilter(created_by="Nobody"))


def test_a_thousand_reports_are_read_at_once(session):
    """More than a driver takes as parameters would be refused; fewer, and each once, are what was asked for."""
    customer = a_customer(session)
    report = a_report(session, customer, (100, 0))
    chosen = selection.named(session, SYSTEM, [report.id] * 40_000)
    assert chosen.ids == [report.id]
