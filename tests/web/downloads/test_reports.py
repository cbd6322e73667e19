"""Downloads as a browser asks for them, through the authentication and every middleware."""

import io
import json
import zipfile
from datetime import timedelta
from decimal import Decimal

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy import select

from billing_core.dates import utc_now
from billing_core.identity import Role
from billing_core.identity import sessions as browser_sessions
from billing_core.identity.models import User
from billing_core.reports.exports import csv as exports_csv
from billing_core.web.streaming import disposition
from tests.reports.exported import a_customer, a_report
from tests.web.downloading import get, read, signed_in

# Of many reports at once.
TOGETHER = ("reports.xlsx", "reports.pdf", "reports.zip", "report-charges.csv")


@pytest.fixture
def reports(served):
    """Two customers with a report each."""
    with served.begin() as session:
        one = a_report(session, a_customer(session, name="Søn & Co"), (50000, 100000), (7, 0))
        other = a_report(session, a_customer(session, ref="B", name="=Beta", currency="EUR"), (200, 0))
        return one, other


@pytest.fixture
def manager(served):
    return signed_in(served, Role.MANAGER)


@pytest.mark.parametrize(
    ("ending", "media_type", "start"),
    [
        ("csv", "text/csv; charset=utf-8", b"order_number,"),
        ("json", "application/json", b'{"id": '),
        ("pdf", "application/pdf", b"%PDF-"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
    ],
)
def test_a_report_is_saved_as_a_file_of_its_kind(reports, manager, ending, media_type, start):
    one, _ = reports
    answer = get(f"/downloads/reports/{one.id}.{ending}", manager)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    name = f"billing_report_{one.id}_long.csv" if ending == "csv" else f"billing_report_{one.id}.{ending}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(start)


def test_the_uuid_names_a_report_as_well_as_its_number(reports, manager):
    one, _ = reports
    by_number = get(f"/downloads/reports/{one.id}.csv", manager)
    assert get(f"/downloads/reports/{one.uuid}.csv", manager).content == by_number.content


def test_people_get_the_explained_csv_and_the_published_one_by_its_name(reports, manager):
    one, _ = reports
    plain = get(f"/downloads/reports/{one.id}.csv", manager)
    assert plain.text.splitlines()[0] == ",".join(exports_csv.LONG_COLUMNS)
    for spelt in (".long.csv", ".csv?variant=long"):
        assert get(f"/downloads/reports/{one.id}{spelt}", manager).content == plain.content

    published = get(f"/downloads/reports/{one.id}.short.csv", manager)
    assert published.text.splitlines()[0] == "order_id,service_id,service_name,amount"
    assert get(f"/downloads/reports/{one.id}.csv?variant=short", manager).content == published.content


def test_the_month_comes_as_one_workbook_one_document_and_one_csv(reports, manager):
    """1,500.07 dollars and 2.00 euros."""
    one, other = reports
    for asked in ("", f"?ids={one.id},{other.id}", "?start_date=2023-01-01&end_date=2023-01-31"):
        answer = get(f"/downloads/reports.xlsx{asked}", manager)
        assert answer.headers["content-disposition"] == 'attachment; filename="billing_reports_2023-01.xlsx"'
        sheet = load_workbook(io.BytesIO(answer.content))["Charges"]
        found = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        assert [(row[3], row[12], row[13]) for row in found if row[13]] == [
            ("B", "EUR", 2),
            ("ACME", "USD", 500),
            ("ACME", "USD", 1000),
            ("ACME", "USD", 0.07),
        ]
        document = get(f"/downloads/reports.pdf{asked}", manager)
        assert document.headers["content-type"] == "application/pdf"
        front = PdfReader(io.BytesIO(document.content)).pages[0].extract_text()
        assert "1,500.07" in front
        assert "2.00" in front
        rows = read(get(f"/downloads/report-charges.csv{asked}", manager))
        assert sum(Decimal(row["amount"]) for row in rows if row["currency"] == "USD") == Decimal("1500.07")
        archive = zipfile.ZipFile(io.BytesIO(get(f"/downloads/reports.zip{asked}", manager).content))
        assert len(archive.namelist()) == 2


def test_named_reports_are_chosen_by_no_filter_too(reports, manager):
    one, _ = reports
    for file in TOGETHER:
        refused = get(f"/downloads/{file}?ids={one.id}&currency=EUR", manager)
        assert (refused.status_code, list(refused.json()["fields"])) == (400, ["ids"])


def test_a_file_of_nothing_is_not_taken_for_an_answer(reports, manager):
    for file in TOGETHER:
        assert get(f"/downloads/{file}?start_date=2024-01-01", manager).status_code == 404


def test_excel_gets_its_byte_order_mark_when_asked_for(reports, manager):
    one, _ = reports
    assert get(f"/downloads/reports/{one.id}.csv?excel=1", manager).content.startswith(b"\xef\xbb\xbforder_number")


def test_several_reports_come_as_a_zip(reports, manager):
    one, other = reports
    answer = get(f"/downloads/reports.zip?ids={one.id},{other.id}&format=json", manager)
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "application/zip"
    assert [json.loads(archive.read(name))["id"] for name in archive.namelist()] == [other.id, one.id]


def test_the_list_of_reports_follows_the_filters_of_the_page(reports, manager):
    one, other = reports
    every = read(get("/downloads/reports.csv?order_by=total_amount", manager))
    assert [(row["id"], row["customer_name"], row["total_amount"]) for row in every] == [
        (str(other.id), "'=Beta", "2.00"),
        (str(one.id), "Søn & Co", "1500.07"),
    ]
    some = read(get("/downloads/reports.csv?currency=USD&start_date=2023-01-01&current_only=false", manager))
    assert [row["id"] for row in some] == [str(one.id)]
    assert read(get("/downloads/reports.csv?start_date=2023-01-02", manager)) == []


def test_the_customer_summary_has_a_line_for_each_customer(reports, manager):
    rows = read(get("/downloads/customers.csv?order_by=-total_amount", manager))
    assert [
        (row["customer_name"], row["report_count"], row["total_amount"], row["average_amount"]) for row in rows
    ] == [
        ("Søn & Co", "1", "1500.07", "1500.07"),
        ("'=Beta", "1", "2.00", "2.00"),
    ]


def test_the_rows_of_a_figure_add_up_to_it(reports, manager):
    answer = get("/downloads/figures/billed.csv?currency=USD&start_date=2023-01-01&end_date=2023-12-31", manager)
    assert [(row["currency"], row["amount"]) for row in read(answer)] == [("USD", "1500.07")]
    assert answer.headers["content-disposition"] == 'attachment; filename="billed.csv"'
    assert read(get("/downloads/figures/billed.csv?start_date=2024-01-01&end_date=2024-12-31", manager)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/downloads/reports/999999.csv",
        "/downloads/reports/99999999999999999999.csv",
        "/downloads/reports/%00.csv",
        "/downloads/reports/abc.csv",
        "/downloads/reports/..%2f..%2fsecret.csv",
        "/downloads/figures/none.csv",
        "/downloads/nothing",
        "/downloads/reports.zip?ids=999999",
    ],
)
def test_what_does_not_exist_is_404(reports, manager, path):
    assert get(path, manager).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/downloads/reports/{id}.exe",
        "/downloads/reports/{id}",
        "/downloads/reports/{id}.csv?variant=wide",
        "/downloads/reports.zip?format=exe",
        "/downloads/reports.zip?ids=",
        "/downloads/reports.xlsx?ids=,",
        "/downloads/reports.pdf?text=%00",
        "/downloads/reports.zip?ids=1;DROP",
        "/downloads/reports.csv?order_by=password",
        "/downloads/reports.csv?start_date=yesterday",
        "/downloads/reports.csv?customer_id=99999999999999",
        "/downloads/reports.csv?text=%00",
        "/downloads/customers.csv?order_by=x",
        "/downloads/figures/billed.csv?start_date=2023-01-01",
        "/downloads/figures/billed.csv?known_at=2023-01-01T00:00:00",
    ],
)
def test_a_request_that_makes_no_sense_is_400(reports, manager, path):
    one, _ = reports
    assert get(path.format(id=one.id), manager).status_code == 400


def every_download(report_id):
    return [
        *(f"/downloads/reports/{report_id}.{ending}" for ending in ("csv", "json", "xlsx", "pdf")),
        *(f"/downloads/{file}?ids={report_id}" for file in TOGETHER),
        *(f"/downloads/{file}" for file in TOGETHER),
        "/downloads/reports.csv",
        "/downloads/customers.csv",
        "/downloads/figures/billed.csv",
    ]


def test_reading_alone_is_no_permission_to_export(served, reports):
    finance = signed_in(served, Role.FINANCE)
    assert {get(path, finance).status_code for path in every_download(reports[0].id)} == {403}


def test_nothing_leaves_without_a_session(reports):
    assert {get(path, {}).status_code for path in every_download(reports[0].id)} == {401}


def test_a_session_that_has_ended_gets_nothing(served, reports, manager):
    with served.begin() as session:
        browser_sessions.end_all(session, session.scalars(select(User.id)).one(), now=utc_now() + timedelta(seconds=1))
    assert get(f"/downloads/reports/{reports[0].id}.csv", manager).status_code == 401


def test_who_is_bound_to_a_customer_gets_files_of_that_customer_alone(served, reports):
    one, other = reports
    bound = signed_in(served, Role.MANAGER, customer_id=other.customer_id)
    assert get(f"/downloads/reports/{other.id}.csv", bound).status_code == 200
    assert get(f"/downloads/reports/{one.id}.csv", bound).status_code == 404
    for file in TOGETHER:
        assert get(f"/downloads/{file}?ids={other.id},{one.id}", bound).status_code == 404
        assert get(f"/downloads/{file}?customer_id={one.customer_id}", bound).status_code == 404
    assert [row["customer_ref"] for row in read(get("/downloads/report-charges.csv", bound))] == ["B"]
    book = load_workbook(io.BytesIO(get("/downloads/reports.xlsx", bound).content))
    assert [cell.value for cell in book["Reports"]["C"]] == ["Customer", "=Beta"]
    assert [row["id"] for row in read(get("/downloads/reports.csv", bound))] == [str(other.id)]
    assert [row["customer_name"] for row in read(get("/downloads/customers.csv", bound))] == ["'=Beta"]
    assert get(f"/downloads/figures/billed.csv?customer_id={one.customer_id}", bound).status_code == 404
    own = read(get(f"/downloads/figures/billed.csv?customer_id={other.customer_id}", bound))
    assert [row["amount"] for row in own] == ["2.00"]


def test_the_database_connection_comes_back_after_a_download(served, reports, manager):
    for _ in range(3):
        get(f"/downloads/reports/{reports[0].id}.csv", manager)
        get("/downloads/reports/999999.csv", manager)
    assert served.engine.pool.checkedout() == 0


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("report_1.csv", 'attachment; filename="report_1.csv"'),
        ("Übersicht 1.csv", "attachment; filename=\"_bersicht_1.csv\"; filename*=UTF-8''%C3%9Cbersicht%201.csv"),
        (
            'a"\r\nX-Evil: 1.csv',
            "attachment; filename=\"a_X-Evil_1.csv\"; filename*=UTF-8''a%22%0D%0AX-Evil%3A%201.csv",
        ),
    ],
)
def test_no_file_name_breaks_out_of_its_header(name, header):
    assert disposition(name) == header
