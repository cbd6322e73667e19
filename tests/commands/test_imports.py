"""``import KIND FILE`` on the command line: counts, exit codes, messages."""

import json
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core import __main__, runtime
from billing_core.customers.models import Customer
from billing_core.metering.models import UsageEvent
from billing_core.orders.models import Order, OrderLine
from tests.imports.files import row_count
from tests.imports.sources.workbooks import xlsx, zipped

LINES = "order_number,sku,quantity\n"
GOOD = "customer_ref,name\nACME,Acme Inc\n"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
COUNTS = "new: 1\nchanged: 0\nunchanged: 0\nrejected: 0\n"
ADDRESS = "the address or country that invoices need"


@pytest.fixture
def command(sessions, monkeypatch, capsys, tmp_path):
    """``command(content, …)`` runs an import of a file with that content: (exit code, stdout, stderr)."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)

    def run(content: str | bytes, kind: str = "customers", *options: str, as_json: bool = False):
        file = tmp_path / "erp.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        code = __main__.main([*(["--json"] if as_json else []), "import", kind, str(file), *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_an_import_prints_its_counts(command, sessions):
    told = f"{COUNTS}next: 1 customer has no e-mail address\nnext: 1 customer lacks {ADDRESS}\n"
    assert command(GOOD) == (0, told, "")
    assert row_count(sessions, Customer) == 1


def test_json_is_all_there_is_on_stdout(command):
    code, out, err = command(GOOD, as_json=True)
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "import": 1,
        "new": 1,
        "changed": 0,
        "unchanged": 0,
        "rejected": 0,
        "set_aside": 0,
        "reasons": [],
        "notes": [],
        "rejections": [],
        "next_steps": [
            {"task": "add_emails", "count": 1, "months": {}},
            {"task": "add_addresses", "count": 1, "months": {}},
        ],
    }


def test_a_dry_run_writes_nothing(command, sessions):
    assert command(GOOD, "customers", "--dry-run")[:2] == (0, "new: 1\nchanged: 0\nunchanged: 0\nrejected: 0\n")
    assert row_count(sessions, Customer) == 0


def test_a_column_that_can_be_read_in_two_ways_is_asked_about(command):
    orders = "order_number,customer_ref,order_date,status\nSO-1,ACME,03/04/2025,shipped\n"
    command(GOOD)
    code, out, err = command(orders, "orders", as_json=True)
    assert code == 1
    assert json.loads(out)["questions"] == [
        {
            "field": "order_date",
            "column": "order_date",
            "text": "03/04/2025: 2025-04-03 (day first) or 2025-03-04 (month first)?",
            "choices": [
                {"reading": "day-first", "meaning": "Day first: 03/04/2025 is 2025-04-03"},
                {"reading": "month-first", "meaning": "Month first: 03/04/2025 is 2025-03-04"},
            ],
        }
    ]
    assert err == (
        "erp.csv can be read in several ways. Nothing has been imported: say which one is meant\n"
        "  order_date: 03/04/2025: 2025-04-03 (day first) or 2025-03-04 (month first)?\n"
        "    --reading order_date=day-first   Day first: 03/04/2025 is 2025-04-03\n"
        "    --reading order_date=month-first   Month first: 03/04/2025 is 2025-03-04\n"
    )
    assert command(orders, "orders", "--reading", "order_date=soon")[0] == 1
    assert command(orders, "orders", "--reading", "order_date=month-first")[0] == 0
    # And so is the next file of this layout.
    assert command(orders, "orders")[1].startswith("new: 0\nchanged: 0\nunchanged: 1\n")


CASES = Path(__file__).parents[1] / "imports" / "cases"


def test_what_the_other_cells_prove_needs_no_answer(command, sessions):
    command(GOOD)
    command("order_number,customer_ref,order_date\nO1,ACME,2025-03-04\n", "orders")
    assert command((CASES / "german_quantities.csv").read_bytes(), "order-items")[0] == 0
    american = (CASES / "us_dates.csv").read_text().replace(",X,", ",ACME,")
    assert command(american, "orders")[0] == 0
    with sessions() as session:
        assert session.scalar(select(Order.order_date).where(Order.number == "CA-2")) == date(2018, 6, 12)
        assert session.scalar(select(OrderLine.quantity).where(OrderLine.sku == "S0")) == 1234


def test_what_a_spreadsheet_destroyed_is_refused(command):
    code, _, err = command((CASES / "excel_damage.csv").read_bytes())
    assert code == 1
    assert "line 3, customer_ref: “1.23457E+12” was destroyed by a spreadsheet" in err
    assert "line 3, phone: “4.91512E+11” was destroyed by a spreadsheet" in err


def test_rejected_rows_are_refused_with_their_reasons(command, sessions):
    code, out, err = command(GOOD + "B,\n", as_json=True)
    assert code == 1
    assert json.loads(out) == {
        "new": 1,
        "changed": 0,
        "unchanged": 0,
        "rejected": 1,
        "set_aside": 0,
        "reasons": [
            {
                "field": "name",
                "column": "name",
                "reason": "is empty",
                "rows": 1,
                "first_line": 3,
                "value_count": 1,
                "values": [["", 1]],
            }
        ],
        "notes": [],
        "rejections": [{"line": 3, "column": "name", "value": "", "reason": "is empty"}],
    }
    assert err == ("erp.csv was refused: nothing has been imported. Rejected rows: 1\n  line 3, name: “” is empty\n")
    assert row_count(sessions, Customer) == 0


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_of_a_refused_file_nothing_reads_as_if_it_were_new(command, option):
    code, out, _ = command(GOOD + "B,\n", "customers", *option)
    assert (code, out) == (1, "would be new: 1\nwould be changed: 0\nunchanged: 0\nrejected: 1\n")


def test_a_broken_file_is_refused_with_a_message_alone(command):
    code, out, err = command(b"%PDF-1.7", as_json=True)
    assert (code, out) == (1, "")
    assert err.startswith("This is no table but a PDF document.")


def test_columns_can_be_mapped_and_fixed(command, sessions):
    content = "Nr;Firma\nACME;Acme Inc\n"
    options = ("--map", "customer_ref=Nr", "--map", "name=Firma", "--map", "country==France")
    assert command(content, "customers", *options)[0] == 0
    with sessions() as session:
        assert session.query(Customer.ref, Customer.name, Customer.country).one() == ("ACME", "Acme Inc", "FR")


def test_usage_is_imported_once_however_often_its_file_is(command, sessions):
    command(GOOD)
    file = "event_id,customer_ref,time\n1,ACME,2026-03-10T10:00:00Z\n2,ACME,2026-03-10T10:00:01Z\n"
    assert command(file, "usage", "--dry-run")[:2] == (0, "new: 2\nchanged: 0\nunchanged: 0\nrejected: 0\n")
    assert row_count(sessions, UsageEvent) == 0
    without_plan = "next: 1 customer has usage and no plan\n"
    assert command(file, "usage") == (0, f"new: 2\nchanged: 0\nunchanged: 0\nrejected: 0\n{without_plan}", "")
    assert command(file, "usage")[:2] == (0, f"new: 0\nchanged: 0\nunchanged: 2\nrejected: 0\n{without_plan}")
    code, _, err = command(file.replace("00:01Z", "00:02Z"), "usage")
    assert (code, "is that of an event that we have, which has other content" in err) == (1, True)
    assert row_count(sessions, UsageEvent) == 2


def test_a_file_that_is_not_there_is_refused(command, tmp_path, capsys):
    assert __main__.main(["import", "customers", str(tmp_path / "none.csv")]) == 1
    assert capsys.readouterr().err == f"There is no file {tmp_path / 'none.csv'}\n"


def test_an_unknown_kind_is_wrong_usage(command, tmp_path):
    with pytest.raises(SystemExit) as ended:
        command(GOOD, "invoices")
    assert ended.value.code == 2


def test_a_file_without_rows_is_said_to_have_none(command):
    code, out, err = command("customer_ref,name\n")
    assert (code, out) == (0, "new: 0\nchanged: 0\nunchanged: 0\nrejected: 0\n")
    assert err == "erp.csv has no rows below the names of its columns\n"


@pytest.fixture
def an_order(command):
    """SO-1 with 1 of A and 2 of B."""
    command(GOOD)
    command("order_number,customer_ref,order_date\nSO-1,ACME,2026-03-01\n", "orders")
    command(f"{LINES}SO-1,A,1\nSO-1,B,2\n", "order-items")


def test_a_file_of_lines_that_replaces_says_what_goes(an_order, command, tmp_path):
    file = tmp_path / "removed.csv"
    code, out, err = command(
        f"{LINES}SO-1,A,1\n", "order-items", "--lines", "replace", "--removed", str(file), "--dry-run"
    )
    assert (code, out) == (0, "new: 0\nchanged: 0\nunchanged: 1\nrejected: 0\nremoved: 1\n")
    assert err == "  SO-1: 2 of B would go\n"
    assert file.read_text("utf-8-sig").splitlines() == ["order_number,sku,quantity", "SO-1,B,2"]

    code, out, _ = command(f"{LINES}SO-1,A,1\n", "order-items", "--lines", "replace", as_json=True)
    assert (code, json.loads(out)["removed_lines"]) == (0, [{"order_number": "SO-1", "sku": "B", "quantity": "2"}])


def test_a_file_of_lines_that_leaves_it_open_is_refused_where_it_matters(an_order, command):
    code, out, err = command(f"{LINES}SO-1,A,3\n", "order-items")
    assert (code, out) == (1, "would be new: 0\nwould be changed: 1\nunchanged: 0\nrejected: 0\n")
    assert "erp.csv: One order of this file has other lines already" in err
    assert "--lines add, replace or change" in err
    assert command(f"{LINES}SO-1,A,3\n", "order-items", "--lines", "add")[0] == 0
    assert "alone" in command(GOOD, "customers", "--lines", "add")[2]


def test_rows_of_one_key_that_differ_are_refused_until_it_is_said_which_counts(command, sessions):
    file = f"{GOOD}ACME,Acme Ltd\n"
    code, _, err = command(file)
    assert (code, row_count(sessions, Customer)) == (1, 0)
    assert "whether the first or the last row of a key counts: add --repeats first, last or newest" in err
    code, out, _ = command(file, "customers", "--repeats", "last", as_json=True)
    assert (code, json.loads(out)["passed_over"]) == (0, 1)
    assert "of which each row counts" in command("", "order-items", "--repeats", "last")[2]


ORDERS = "order_number,customer_ref,order_date,status\n1,ACME,2026-01-05,On Hold\n2,ACME,2026-01-05,shipped\n"


def test_words_that_are_not_understood_are_refused_with_the_way_to_answer(command, sessions):
    command(GOOD)
    code, out, err = command(ORDERS, "orders", as_json=True)
    assert (code, row_count(sessions, Order)) == (1, 0)
    assert json.loads(out)["asked"] == [{"field": "status", "column": "status", "word": "On Hold", "rows": 1}]
    assert "  status: “On Hold” on one row: add --word 'status:On Hold=…'" in err
    assert "status is one of draft, submitted, processing" in err

    code, out, _ = command(ORDERS, "orders", "--word", "status:On Hold=leave-out", as_json=True)
    assert (code, json.loads(out)["left_out"], row_count(sessions, Order)) == (0, 1, 1)
    assert "is not a status" in command(ORDERS, "orders", "--word", "status:On Hold=x")[2]


def test_orders_without_a_status_are_counted_with_the_columns_that_may_tell(command):
    command(GOOD)
    file = "order_number,customer_ref,order_date,Shipped Date,Fax\n1,ACME,2026-01-05,,\n2,ACME,2026-01-05,,\n"
    code, out, err = command(file, "orders", "--dry-run", as_json=True)
    said = json.loads(out)
    assert (code, said["without_status"], said["columns_that_may_tell"]) == (0, 2, ["Shipped Date"])
    assert "new orders without a status in the file: 2" in err
    assert "These columns may tell: Shipped Date" in err


def test_the_good_rows_are_imported_where_so_many_may_be_set_aside(command, sessions, tmp_path):
    rest = tmp_path / "rest.csv"
    assert command(GOOD + "B,\n", "customers", "--set-aside", "0")[0] == 1
    code, out, err = command(GOOD + "B,\n", "customers", "--set-aside", "1", "--rejected", str(rest))
    assert (code, out.startswith("new: 1\nchanged: 0\nunchanged: 0\nrejected: 1\n")) == (0, True)
    assert err.startswith("erp.csv was imported without them. Rejected rows: 1\n")
    assert rest.read_text("utf-8-sig").splitlines()[1] == "B,,name: is empty"
    assert row_count(sessions, Customer) == 1


def test_a_template_can_be_imported_as_it_is_printed(command, capsys):
    assert __main__.main(["import", "template", "services"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines() == [
        "service_code,name,cost_type",
        "PICK,Picking,per_item",
        "SHIP,Shipping abroad,per_order",
    ]
    assert command(printed, "services")[0] == 0
    assert __main__.main(["--json", "import", "template", "services"]) == 0
    assert json.loads(capsys.readouterr().out)["examples"][0]["service_code"] == "PICK"


def test_what_is_left_out_is_said_and_can_be_taken_in(command, sessions):
    content = "List of customers\n\ncustomer_ref;name\nA;Alpha\nTotal;\n"
    code, out, err = command(content, as_json=True)
    assert (code, json.loads(out)["no_rows"]) == (0, 1)
    assert json.loads(out)["odd_lines"] == [{"line": 5, "text": "Total", "why": "looks like a total", "taken": False}]
    assert err == (
        "Line 5, “Total”, looks like a total and is left out: --keep-line takes it in\n"
        "Note: The columns are named on line 3; the lines before it are left out.\n"
    )
    code, _, err = command(content, "customers", "--keep-line", "5")
    assert (code, "line 5, name: “” is empty" in err) == (1, True)


def test_a_key_that_a_spreadsheet_may_have_cut_is_asked_about(command, sessions):
    command(GOOD)
    header = ["order_number", "customer_ref", "order_date", "status"]
    orders = xlsx({"Orders": [header, [1234567890123450, "ACME", "2026-03-04", "shipped"]]})
    code, _, err = command(orders, "orders")
    assert code == 1
    assert "order_number: 1234567890123450 is a number in the workbook, and spreadsheets keep 15 digits of one" in err
    assert "    --reading order_number=exact   Right to the last digit: 1234567890123450\n" in err
    assert row_count(sessions, Order) == 0
    assert command(orders, "orders", "--reading", "order_number=exact")[0] == 0
    with sessions() as session:
        assert session.scalars(select(Order.number)).all() == ["1234567890123450"]


def test_a_text_beside_numbers_of_a_workbook_is_asked_about(command, sessions):
    command(GOOD)
    command("order_number,customer_ref,order_date,status\nSO-1,ACME,2026-03-04,shipped\n", "orders")
    lines = xlsx({"Lines": [["order_number", "sku", "quantity"], ["SO-1", "A", 12.5], ["SO-1", "B", "1.234"]]})
    code, _, err = command(lines, "order-items")
    assert (code, "quantity: 1.234: 1.234 (decimal point) or 1234 (decimal comma)?" in err) == (1, True)
    assert command(lines, "order-items", "--reading", "quantity=comma")[0] == 0


def test_a_text_whose_rows_are_far_below_blank_lines_says_so(command):
    code, _, err = command("\n" * 10_001 + GOOD)
    assert (code, "The first 10,000 lines of the file are blank" in err) == (1, True)


def test_how_a_file_is_read_can_be_said(command, sessions):
    content = "A:Łódź\nB:Kraków\n".encode("iso8859-2")
    reading = ("--encoding", "iso8859-2", "--separator", ":", "--header-line", "0")
    mapping = ("--map", "customer_ref=column 1", "--map", "name=column 2")
    assert command(content, "customers", *reading, *mapping)[0] == 0
    with sessions() as session:
        assert session.query(Customer.ref, Customer.name).order_by(Customer.ref).all() == [
            ("A", "Łódź"),
            ("B", "Kraków"),
        ]
    assert "is not an encoding" in command(content, "customers", "--encoding", "klingon")[2]
    assert "A separator is one character" in command(content, "customers", "--separator", "::")[2]


def test_one_of_several_tables_is_named(command, sessions):
    book = xlsx({"One": [["customer_ref", "name"], ["A", "Alpha"]], "Two": [["customer_ref", "name"], ["B", "Beta"]]})
    packed = zipped({"book.xlsx": book, "more.csv": "customer_ref,name\nC,Gamma\n"})
    code, _, err = command(packed)
    assert (code, "erp.csv holds several files: book.xlsx, more.csv. Say which one with --member" in err) == (1, True)
    assert (
        "Several sheets of the workbook have rows: One, Two" in command(packed, "customers", "--member", "book.xlsx")[2]
    )
    assert command(packed, "customers", "--member", "book.xlsx", "--sheet", "Two")[0] == 0
    assert command(packed, "customers", "--member", "more.csv")[0] == 0
    with sessions() as session:
        assert session.scalars(select(Customer.ref).order_by(Customer.ref)).all() == ["B", "C"]


def test_a_shop_s_export_gives_each_of_its_kinds(command, sessions):
    export = (Path(__file__).parents[1] / "imports" / "layouts" / "shopify_one_line_orders.csv").read_bytes()
    for kind, *options in (["customers"], ["orders", "--reading", "order_date=here"], ["order-items"]):
        code, out, _ = command(export, kind, *options)
        assert (code, out.split("\n")[0]) == (0, "new: 2")
    with sessions() as session:
        orders = select(Order.number, Customer.ref, Customer.name).join(Customer).order_by(Order.number)
        assert list(map(tuple, session.execute(orders))) == [
            ("#5001", "Person One", "Person One"),
            ("#5002", "Person Two", "Person Two"),
        ]
        assert sum(session.scalars(select(OrderLine.quantity))) == 3
