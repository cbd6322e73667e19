"""Reports as text files: CSV, JSON and ZIP. What they must say is written out by hand."""

import csv
import io
import json
import zipfile
from decimal import Decimal

import pytest

from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.reports.exports import files
from billing_core.reports.exports import rows as exports_rows
from billing_core.reports.exports.together import selection
from tests.reports.exported import a_customer, a_report, services


def written(session, report, output_format, **options) -> bytes:
    return b"".join(files.chunks(session, SYSTEM, report.id, output_format, **options))


def test_the_csv_is_the_one_of_the_published_document(session):
    report = a_report(session, a_customer(session), (50000, 100000), (7, 0))
    (first, second) = sorted(row.order_id for row in session.execute(exports_rows.orders(report)))
    pick, ship = (service.id for service in services(session))

    assert written(session, report, "csv").decode() == (
        "order_id,service_id,service_name,amount\r\n"
        f'{first},{pick},"Picking",500.00\r\n'
        f'{first},{ship},"Ship ""fast""",1000.00\r\n'
        f'{second},{pick},"Picking",0.07\r\n'
    )


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1234"), ("USD", "12.34"), ("KWD", "1.234")])
def test_amounts_have_the_digits_of_their_currency(session, currency, amount):
    report = a_report(session, a_customer(session, currency=currency), (1234, 0))
    rows = list(csv.reader(io.StringIO(written(session, report, "csv").decode())))
    assert rows[1][3] == amount
    assert f'"total_amount": {amount},' in written(session, report, "json").decode()


def test_the_long_csv_explains_each_charge_and_runs_no_formula(session):
    customer = a_customer(session, name="Søn & Co")
    report = a_report(
        session, customer, (50000, 1), reference_number="=1+1", ship_to_name="@cmd", ship_to_address="Line 1\nLine, 2"
    )
    rows = list(csv.reader(io.StringIO(written(session, report, "csv", variant="long").decode(), newline="")))
    order = ["ACME-0", "'=1+1", "2023-01-15", "completed", "'@cmd", "Line 1\nLine, 2"]
    assert rows == [
        [
            *("order_number", "reference_number", "order_date", "status", "ship_to_name", "ship_to_address"),
            *("service_code", "service_name", "cost_type", "quantity", "unit_price", "tier", "bound", "condition"),
            *("currency", "amount"),
        ],
        [*order, "PICK", "Picking", "per_item", "2.5", "1.25", "", "", "", "USD", "500.00"],
        [*order, "SHIP", 'Ship "fast"', "per_weight_unit", "2.5", "0", "2", "", "weight > 2", "USD", "0.00"],
        [*order, "SHIP", 'Ship "fast"', "per_weight_unit", "1", "0.01", "", "minimum", "weight > 2", "USD", "0.01"],
    ]


def test_a_service_called_like_a_formula_is_harmless_in_the_short_csv_too(session):
    services(session)[0].name = "=HYPERLINK(1)"
    report = a_report(session, a_customer(session), (100, 0))
    assert '"\'=HYPERLINK(1)"' in written(session, report, "csv").decode()


def test_excel_is_told_that_the_csv_is_utf_8_only_when_asked(session):
    report = a_report(session, a_customer(session), (100, 0))
    plain = written(session, report, "csv")
    marked = b"".join(files.download(session, SYSTEM, report.id, "csv", for_excel=True).chunks)
    assert not plain.startswith(b"\xef\xbb\xbf")
    assert marked == b"\xef\xbb\xbf" + plain


def test_the_json_is_the_report_detail_of_the_published_document(session):
    customer = a_customer(session)
    report = a_report(session, customer, (50000, 100000), (0, 0), reference_number="REF-10001")
    first, second = (row.order_id for row in session.execute(exports_rows.orders(report)))
    pick, ship = (service.id for service in services(session))

    detail = json.loads(written(session, report, "json"), parse_float=Decimal)

    def cost(service_id, name, amount):
        return {"service_id": service_id, "service_name": name, "amount": Decimal(amount)}

    assert detail == {
        "id": report.id,
        "customer_id": customer.id,
        "customer_name": "ACME Corp",
        "start_date": "2023-01-01",
        "end_date": "2023-01-31",
        "created_at": "2023-02-01T12:00:00Z",
        "total_amount": Decimal("1500.00"),
        "service_totals": {
            str(pick): {"service_name": "Picking", "amount": Decimal("500.00")},
            str(ship): {"service_name": 'Ship "fast"', "amount": Decimal("1000.00")},
        },
        "orders": [
            {
                "order_id": first,
                "reference_number": "REF-10001",
                "order_date": "2023-01-15",
                "total_amount": Decimal("1500.00"),
                "service_costs": [cost(pick, "Picking", "500.00"), cost(ship, 'Ship "fast"', "1000.00")],
            },
            {
                "order_id": second,
                "reference_number": "REF-10001",
                "order_date": "2023-01-16",
                "total_amount": Decimal("0.00"),
                "service_costs": [cost(pick, "Picking", "0.00")],
            },
        ],
    }


def test_numbers_that_a_float_cannot_hold_stay_exact(session):
    report = a_report(session, a_customer(session), (9_007_199_254_740_993, 0))
    assert '"total_amount": 90071992547409.93,' in written(session, report, "json").decode()
    assert written(session, report, "csv").decode().endswith("90071992547409.93\r\n")


def test_a_report_without_orders_is_a_file_all_the_same(session):
    report = a_report(session, a_customer(session))
    assert written(session, report, "csv") == b"order_id,service_id,service_name,amount\r\n"
    detail = json.loads(written(session, report, "json"))
    assert (detail["total_amount"], detail["service_totals"], detail["orders"]) == (0, {}, [])


def test_a_large_report_leaves_in_pieces(session, monkeypatch):
    monkeypatch.setattr(exports_rows, "BATCH", 2)
    report = a_report(session, a_customer(session), *[(100, 0)] * 5)
    pieces = list(files.chunks(session, SYSTEM, report.id, "csv"))
    assert [piece.count(b"\r\n") for piece in pieces] == [1, 2, 2, 1]


def test_several_reports_come_as_one_zip_by_the_names_of_their_customers(session):
    one = a_report(session, a_customer(session, name="../Søn / Co"), (100, 0))
    other = a_report(session, a_customer(session, ref="B", name="Βήτα"), (200, 0))
    chosen = selection.named(session, SYSTEM, [other.id, one.id, other.id])
    download = files.archive(session, SYSTEM, chosen, "csv")

    assert download.file_name == "billing_reports_2023-01.zip"
    archive = zipfile.ZipFile(io.BytesIO(b"".join(download.chunks)))

    assert archive.testzip() is None
    assert archive.namelist() == [f"2023-01-01_Søn-Co_{one.id}.csv", f"2023-01-01_Βήτα_{other.id}.csv"]
    assert archive.read(archive.namelist()[0]) == written(session, one, "csv")


def test_a_zip_of_documents_has_not_too_many(session, monkeypatch):
    monkeypatch.setattr(selection, "MOST_DOCUMENTS", 1)
    reports = [a_report(session, a_customer(session, ref=ref), (100, 0)) for ref in "AB"]
    chosen = selection.named(session, SYSTEM, [report.id for report in reports])
    with pytest.raises(Invalid, match="the workbook takes all of them"):
        files.archive(session, SYSTEM, chosen, "pdf")
    content = b"".join(files.archive(session, SYSTEM, chosen, "csv").chunks)
    assert len(zipfile.ZipFile(io.BytesIO(content)).namelist()) == 2


def test_only_who_may_export_gets_a_file(session):
    report = a_report(session, a_customer(session), (100, 0))
    finance = actor_with(Role.FINANCE, user_id=1, name="Fay")
    manager = actor_with(Role.MANAGER, user_id=2, name="Max")
    for attempt in (
        lambda: files.chunks(session, finance, report.id, "csv"),
        lambda: files.archive(session, finance, selection.named(session, manager, [report.id]), "csv"),
    ):
        with pytest.raises(Forbidden):
            attempt()
    assert b"".join(files.chunks(session, manager, report.id, "csv"))


def test_who_is_bound_to_a_customer_does_not_get_anothers_report(session):
    mine, other = a_customer(session), a_customer(session, ref="B")
    my_report, other_report = a_report(session, mine, (100, 0)), a_report(session, other, (200, 0))
    bound = actor_with(Role.MANAGER, user_id=2, name="Max", customer_id=mine.id)
    assert b"".join(files.chunks(session, bound, my_report.id, "csv"))
    with pytest.raises(NotFound):
        files.chunks(session, bound, other_report.id, "csv")


def test_what_we_do_not_write_is_refused_by_name(session):
    report = a_report(session, a_customer(session), (100, 0))
    with pytest.raises(Invalid, match=r"^Invalid format: xyz$"):
        files.chunks(session, SYSTEM, report.id, "xyz")
    with pytest.raises(Invalid, match=r"^Invalid variant: wide$"):
        files.chunks(session, SYSTEM, report.id, "csv", variant="wide")
    with pytest.raises(NotFound):
        files.chunks(session, SYSTEM, report.id + 1, "csv")


def test_file_names_are_those_of_the_published_document(session):
    report = a_report(session, a_customer(session), (100, 0))
    names = [
        files.download(session, SYSTEM, report.id, output_format, variant=variant).file_name
        for output_format, variant in (("csv", "short"), ("csv", "long"), ("json", "short"), ("pdf", "long"))
    ]
    start = f"billing_report_{report.id}"
    assert names == [f"{start}.csv", f"{start}_long.csv", f"{start}.json", f"{start}.pdf"]
