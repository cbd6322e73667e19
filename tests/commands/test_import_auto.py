"""``import auto FILE`` on the command line: what files hold is found out, and what is unsure is told."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core import __main__, runtime
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.imports.models import ImportRun
from billing_core.orders.models import Order, OrderLine
from tests.imports.expected_cases import CASES, what_there_is
from tests.imports.expected_layouts import EXPECTED
from tests.imports.files import incoming, row_count
from tests.imports.sources.workbooks import xlsx, zipped
from tests.imports.test_layouts import what_is_there
from tests.imports.test_orders_without_a_customer import till
from tests.reports.company import a_customer

LAYOUTS = Path(__file__).parents[1] / "imports" / "layouts"
ON_BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CUSTOMERS = "customer_ref,name\nACME,Acme Inc\n"
ORDERS = "order_number,customer_ref,order_date,status\nSO-1,ACME,2025-03-04,shipped\n"
LINES = "order_number,sku,quantity\nSO-1,MUG,2\n"


@pytest.fixture
def auto(sessions, monkeypatch, capsys, tmp_path):
    """``auto({name: content}, …)`` runs the command on these files: (exit code, JSON, stderr)."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)

    def run(given: dict[str, str | bytes], *options: str):
        paths = []
        for name, content in given.items():
            path = tmp_path / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            paths.append(str(path))
        code = __main__.main(["--json", "import", "auto", *paths, *options])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else None, said.err

    return run


def export(name: str) -> bytes:
    return (LAYOUTS / f"{name}.csv").read_bytes()


def about(told, *, must=True) -> list[str]:
    """What is unsure of the only file."""
    (file,) = told["files"]
    return [doubt["about"] for doubt in file["unsure"] if doubt["must_be_answered"] is must]


def options(case) -> list[str]:
    return [part for option, value in case.answers for part in (f"--{option}", value)]


@ON_BOTH
@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_file_that_once_came_out_wrong_gives_its_right_value(case, auto, sessions):
    for kind, content in case.before:
        service.apply(sessions, SYSTEM, incoming(kind, content), now=utc_now())
    if case.asks:
        with sessions() as session:
            before = what_there_is(session)
        code, told, err = auto({case.file: case.content})
        assert (code, tuple(about(told))) == (1, case.asks)
        with sessions() as session:
            assert what_there_is(session) == before
        # Each doubt names the option that answers it.
        for option, _value in case.answers:
            assert f"--{option}" in err
    code, told, _ = auto({case.file: case.content}, *options(case))
    assert (code, told["files"][0]["kinds"]) == (0, list(case.kinds))
    with sessions() as session:
        assert what_there_is(session) == case.holds


@ON_SQLITE
def test_a_dry_run_tells_all_and_changes_nothing(auto, sessions):
    code, told, _ = auto({"orders.csv": export("shopify_orders")}, "--dry-run")
    (file,) = told["files"]
    assert (code, file["imported"], file["unsure"]) == (0, False, [])
    assert file["kinds"] == ["customers", "orders", "order-items"]
    assert file["source"] == "Shopify: orders"
    customers, orders, lines = file["parts"]
    assert [part["result"]["new"] for part in file["parts"]] == [2, 3, 4]
    assert customers["mapping"]["customer_ref"] == "Email|Phone|Billing Name|Shipping Name"
    assert orders["first_rows"][0]["values"]["order_date"] == "2026-03-02"
    assert lines["first_rows"][0] == {
        "values": {"order_number": "#1001", "sku": "MUG-B", "quantity": "2"},
        "reasons": {},
    }
    assert row_count(sessions, Customer) == 0


@ON_BOTH
def test_a_combined_export_goes_in_whole_and_again_changes_nothing(auto, sessions):
    code, told, _ = auto({"orders.csv": export("shopify_orders")})
    assert (code, told["files"][0]["imported"]) == (0, True)
    assert {step["task"] for step in told["next_steps"]} >= {"price_customers", "report_orders"}
    with sessions() as session:
        found = what_is_there(session)
        runs = session.scalars(select(ImportRun.id).order_by(ImportRun.id)).all()
    assert [part["import"] for part in told["files"][0]["parts"]] == runs
    assert {kind: rows for kind, rows in found.items() if rows} == EXPECTED["shopify_orders"]
    code, told, _ = auto({"orders.csv": export("shopify_orders")})
    results = [part["result"] for part in told["files"][0]["parts"]]
    assert (code, [(one["new"], one["changed"], one["unchanged"]) for one in results]) == (
        0,
        [(0, 0, 2), (0, 0, 3), (0, 0, 4)],
    )


@ON_SQLITE
def test_of_two_kinds_that_are_close_somebody_says_which(auto, sessions):
    people = "ID,Name\n1,Acme\n"
    code, told, err = auto({"things.csv": people})
    assert (code, about(told)) == (1, ["kind"])
    assert "--kind customers" in err
    assert auto({"things.csv": people}, "--kind", "customers")[0] == 0
    with sessions() as session:
        assert session.execute(select(Customer.ref, Customer.name)).all() == [("1", "Acme")]


@ON_SQLITE
def test_a_file_may_be_said_to_hold_kinds_that_it_was_not_found_to(auto, sessions):
    content = "Order,Item,Qty,When,Buyer\nSO-1,A,2,2025-03-04,ACME\n,B,1,,\n"
    kinds = ("--kind", "customers", "--kind", "orders", "--kind", "order-items")
    columns = ("--map", "order_date=When", "--map", "customer_ref=Buyer", "--map", "name=Buyer")
    code, told, err = auto({"export.csv": content}, *kinds, *columns)
    assert code == 0, err
    assert [part["kind"] for part in told["files"][0]["parts"]] == ["customers", "orders", "order-items"]
    assert [row_count(sessions, model) for model in (Customer, Order, OrderLine)] == [1, 1, 2]


@ON_SQLITE
def test_orders_without_a_customer_belong_to_whom_is_said_and_hold_nothing_up(auto, sessions):
    with sessions.begin() as session:
        a_customer(session, ref="TILL", currency="EUR")
    content = till("#2001", "#2002")
    code, told, err = auto({"orders.csv": content})
    assert (code, "rejected" in about(told)) == (1, True)
    code, told, err = auto({"orders.csv": content}, "--no-customer", "TILL")
    assert code == 0, err
    (part,) = [part for part in told["files"][0]["parts"] if part["kind"] == "orders"]
    (word,) = [word for word in part["result"]["words"] if word["field"] == "customer_ref"]
    assert (word["word"], word["ours"], word["rows"]) == ("", "TILL", 2)
    # As every night from now on: the answer is remembered, and is no doubt.
    assert auto({"orders.csv": till("#2001", "#2002", "#2003")}, "--when-certain")[0] == 0
    with sessions() as session:
        of_till = select(Order.number).join(Customer, Customer.id == Order.customer_id).where(Customer.ref == "TILL")
        assert session.scalars(of_till.order_by(Order.number)).all() == ["#2001", "#2002", "#2003"]


@ON_SQLITE
def test_one_bad_file_holds_up_those_alone_that_need_it(auto, sessions):
    given = {
        "broken.xlsx": b"PK\x03\x04 not a workbook",
        "lines.csv": LINES,
        "orders.csv": ORDERS,
        "customers.csv": CUSTOMERS,
        "services.csv": "service_code,name,cost_type\nPICK,Picking,per_thing\n",
    }
    code, told, _ = auto(given)
    assert code == 1
    imported = {file["file"]: file["imported"] for file in told["files"]}
    assert imported == {
        "broken.xlsx": False,
        "lines.csv": True,
        "orders.csv": True,
        "customers.csv": True,
        "services.csv": False,
    }
    assert [row_count(sessions, model) for model in (Customer, Order, OrderLine)] == [1, 1, 1]


@ON_SQLITE
def test_orders_wait_for_the_customers_of_a_file_that_is_refused(auto, sessions):
    code, told, _ = auto({"orders.csv": ORDERS, "customers.csv": CUSTOMERS + "BETA,\n"})
    orders, customers = told["files"]
    assert (code, orders["imported"], customers["imported"]) == (1, False, False)
    assert [doubt["about"] for doubt in orders["unsure"]] == ["rejected", "waits"]
    assert "Waits for customers.csv, which was refused" in orders["unsure"][1]["text"]
    assert row_count(sessions, Customer) == 0


@ON_SQLITE
def test_the_files_of_an_archive_and_the_sheets_of_a_workbook_are_files_of_their_own(auto, sessions):
    orders = [["order_number", "customer_ref", "order_date"], ["SO-2", "B", "2025-03-05"]]
    book = xlsx({"Customers": [["customer_ref", "name"], ["B", "Bolt"]], "Orders": orders})
    packed = zipped({"book.xlsx": book, "customers.csv": CUSTOMERS.encode(), "lines.csv": LINES.encode()})
    code, told, _ = auto({"export.zip": packed, "orders.csv": ORDERS})
    assert [file["file"] for file in told["files"]] == [
        "book.xlsx · Customers",
        "book.xlsx · Orders",
        "customers.csv",
        "lines.csv",
        "orders.csv",
    ]
    assert (code, [file["imported"] for file in told["files"]]) == (0, [True] * 5)
    assert [row_count(sessions, model) for model in (Customer, Order, OrderLine)] == [2, 2, 1]


@ON_SQLITE
def test_a_guess_goes_in_unless_only_what_is_certain_may(auto, sessions):
    guessed = "Client no.,Company,Shoe size\nC1,Acme,42\n"
    said = ["--kind", "customers", "--map", "customer_ref=Client no."]
    code, told, _ = auto({"clients.csv": guessed}, "--when-certain", *said)
    assert (code, about(told), about(told, must=False)) == (1, [], ["columns_guessed"])
    assert "Shoe size" in told["files"][0]["unsure"][0]["text"]
    assert row_count(sessions, Customer) == 0
    assert auto({"clients.csv": guessed}, *said)[0] == 0
    # From then on the layout is known.
    more = guessed.replace("C1,Acme", "C2,Bolt")
    assert auto({"clients.csv": more}, "--when-certain", "--kind", "customers")[0] == 0
    assert row_count(sessions, Customer) == 2


@ON_SQLITE
def test_a_profile_is_what_the_file_must_be(auto, sessions):
    orders = export("shopify_orders")
    code, told, _ = auto({"orders.csv": export("etsy_orders")}, "--profile", "shopify_orders")
    assert (code, about(told)) == (1, ["unreadable"])
    assert (
        "The file is not Shopify: orders (shopify_orders). It lacks the columns"
        in told["files"][0]["unsure"][0]["text"]
    )
    code, told, _ = auto({"orders.csv": orders}, "--profile", "shopfy")
    assert code == 1
    text = told["files"][0]["unsure"][0]["text"]
    assert "There is no profile “shopfy”. They are: amazon_all_orders, " in text
    assert "shopify_orders" in text
    assert row_count(sessions, Customer) == 0
    assert auto({"orders.csv": orders}, "--profile", "shopify_orders")[0] == 0


@ON_SQLITE
def test_the_number_of_an_import_is_a_profile_too(auto, sessions):
    first = "Nr,Firm\nC1,Acme\n"
    auto(
        {"a.csv": first},
        "--kind",
        "customers",
        "--map",
        "customer_ref=Nr",
        "--map",
        "name=Firm",
        "--map",
        "currency==EUR",
    )
    with sessions() as session:
        number = session.scalar(select(ImportRun.id))
    # Another layout, of which nothing is remembered.
    assert auto({"b.csv": "Firm,Nr,Fax\nBolt,C2,1\n"}, "--profile", str(number))[0] == 0
    with sessions() as session:
        stored = session.execute(select(Customer.ref, Customer.name, Customer.currency).order_by(Customer.ref)).all()
    assert stored == [("C1", "Acme", "EUR"), ("C2", "Bolt", "EUR")]
    code, told, _ = auto({"c.csv": "Firma,Nr\nBolt,C2\n"}, "--profile", str(number))
    assert code == 1
    assert told["files"][0]["unsure"][0]["text"] == f"The file lacks the columns from which import {number} took name"
    assert auto({"c.csv": first}, "--profile", "999")[1]["files"][0]["unsure"][0]["text"].startswith(
        "There is no import"
    )


@ON_SQLITE
def test_what_is_said_may_be_for_one_kind_alone(auto, sessions):
    export_ = "Order No,Order Date,Customer,Customer Name,SKU,Qty\nSO-1,2025-03-04,C1,Acme,MUG,2\n"
    code, told, _ = auto({"e.csv": export_}, "--map", "orders.status==completed", "--map", "customers.currency==EUR")
    assert (code, told["files"][0]["kinds"]) == (0, ["customers", "orders", "order-items"])
    with sessions() as session:
        assert session.execute(select(Order.status, Customer.currency).join(Customer)).all() == [("completed", "EUR")]
    assert auto({"e.csv": export_}, "--map", "goods.status==completed")[2].startswith("“goods” is no kind of file")
    assert auto({"e.csv": export_}, "--map", "colour==red")[2].startswith("No kind of file has a field “colour”")


@ON_SQLITE
def test_rejected_rows_are_written_by_kind(auto, tmp_path):
    wrong = export("shopify_orders").replace(b",2,Blue mug,10.00,MUG-B,Ann", b",two,Blue mug,10.00,MUG-B,Ann")
    target = tmp_path / "rejected.csv"
    code, told, _ = auto({"orders.csv": wrong}, "--rejected", str(target))
    assert (code, about(told)) == (1, ["rejected"])
    assert not target.exists()
    assert b"two" in (tmp_path / "rejected-order-items.csv").read_bytes()
    assert auto({"c.csv": CUSTOMERS + "BETA,\n"}, "--rejected", str(target))[0] == 1
    assert b"BETA" in target.read_bytes()


@ON_SQLITE
def test_lines_that_orders_have_already_are_asked_about(auto, sessions):
    auto({"customers.csv": CUSTOMERS, "orders.csv": ORDERS, "lines.csv": LINES})
    other = LINES.replace(",2", ",3")
    code, told, err = auto({"more.csv": other})
    assert (code, about(told)) == (1, ["lines"])
    assert "--lines add, or --lines replace, or --lines change" in err
    assert auto({"more.csv": other}, "--lines", "replace")[0] == 0
    with sessions() as session:
        assert session.scalars(select(OrderLine.quantity)).all() == [3]


@ON_SQLITE
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (["--lines", "some"], 2),
        (["--kind", "things"], 2),
        (["--encoding", "klingon"], 1),
        (["--separator", "abc"], 1),
    ],
)
def test_what_the_command_does_not_know_is_refused(auto, wrong, code):
    if code == 2:
        with pytest.raises(SystemExit) as ended:
            auto({"c.csv": CUSTOMERS}, *wrong)
        assert ended.value.code == code
    else:
        assert auto({"c.csv": CUSTOMERS}, *wrong)[0] == code
