"""``report generate``, ``report run`` and ``verify``."""

import json

import pytest
import structlog
from sqlalchemy import select, update

from billing_core import runtime
from billing_core.__main__ import main
from billing_core.commands import Answer
from billing_core.identity import SYSTEM
from billing_core.invoices import from_reports
from billing_core.reports.models import BillingReport
from tests.reports.company import NOW, a_customer, an_order

MARCH = ["--from", "2026-03-01", "--to", "2026-03-31"]


@pytest.fixture(autouse=True)
def company(sessions, monkeypatch):
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)
    with sessions.begin() as session:
        an_order(session, a_customer(session, "ALFKI"), "SO-1")


def test_a_report_is_printed_as_the_published_document_shows_it(capsys):
    assert main(["report", "generate", "--customer", "ALFKI", *MARCH]) == 0
    detail = json.loads(capsys.readouterr().out)
    assert (detail["customer_name"], detail["total_amount"], len(detail["orders"])) == ("Acme Corp", 4.0, 1)


def test_the_integer_id_names_a_customer_too(capsys):
    assert main(["--json", "report", "generate", "--customer", "1", *MARCH]) == 0
    assert json.loads(capsys.readouterr().out)["total_amount"] == 4.0


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_amounts_are_printed_with_every_digit_that_the_file_has(capsys, tmp_path, as_json):
    file = tmp_path / "march.json"
    command = ["report", "generate", "--customer", "ALFKI", *MARCH]
    assert main([*command, "-o", str(file)]) == 0
    capsys.readouterr()

    assert main([*as_json, *command]) == 0

    printed = capsys.readouterr().out
    assert printed == file.read_text()
    assert '"total_amount": 4.00,' in printed


def test_a_printed_csv_ends_with_its_last_row(capsys):
    assert main(["report", "generate", "--customer", "ALFKI", *MARCH, "--format", "csv"]) == 0
    assert capsys.readouterr().out.replace("\r\n", "\n").splitlines()[-1].endswith('"Picking",2.00')


def test_a_file_that_cannot_be_written_is_a_refusal(capsys, tmp_path):
    file = tmp_path / "missing" / "march.csv"
    assert main(["report", "generate", "--customer", "ALFKI", *MARCH, "--format", "csv", "-o", str(file)]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_file_is_written(capsys, tmp_path):
    file = tmp_path / "march.csv"
    assert main(["report", "generate", "--customer", "ALFKI", *MARCH, "--format", "csv", "-o", str(file)]) == 0
    assert file.read_text().splitlines()[0] == "order_id,service_id,service_name,amount"
    assert "New report 1 of 4.00 USD" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--customer", "999", *MARCH], "Customer with ID 999 not found"),
        (["--customer", "ALFKI", "--from", "2026-03-02", "--to", "2026-03-01"], "Start date must be before end date"),
        (["--customer", "ALFKI", *MARCH, "--format", "pdf"], "name a file with -o"),
    ],
)
def test_refusals_are_told_on_stderr(capsys, arguments, words):
    assert main(["report", "generate", *arguments]) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""


def test_a_run_bills_everybody(capsys):
    assert main(["--json", "report", "run", *MARCH]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["customers"], said["created"], said["failed"]) == (1, 1, [])


def test_a_run_names_whose_orders_had_no_rate(capsys, sessions):
    with sessions.begin() as session:
        an_order(session, a_customer(session, "BARE", name="Bare Shelf", priced=False), "SO-2")
    assert main(["--json", "report", "run", *MARCH]) == 0
    assert json.loads(capsys.readouterr().out)["without_rates"] == ["Bare Shelf"]
    assert main(["report", "run", *MARCH]) == 0
    assert capsys.readouterr().out.endswith("1 without any rate for their orders, billed 0: Bare Shelf\n")


def test_verify_proves_or_names_what_is_wrong(capsys, sessions):
    main(["report", "run", *MARCH])
    assert main(["verify"]) == 0
    with sessions.begin() as session:
        session.execute(update(BillingReport).values(total_minor=7))
        assert session.scalars(select(BillingReport.total_minor)).all() == [7]
    capsys.readouterr()

    assert main(["--json", "verify"]) == 1

    assert ["report 1"] in [check["wrong"] for check in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--from", "2026-02-30", "--to", "2026-03-31"], "“2026-02-30” is not a day such as 1998-04-30"),
        ([*MARCH, "--format", "docx"], "choose from 'csv', 'json', 'xlsx', 'pdf'"),
    ],
)
def test_wrong_usage_is_told_in_words_of_the_command_line(capsys, wrong, said):
    with pytest.raises(SystemExit) as left:
        main(["report", "generate", "--customer", "ALFKI", *wrong])
    printed = capsys.readouterr()
    assert (left.value.code, printed.out) == (2, "")
    assert said in printed.err


def test_what_is_logged_meanwhile_leaves_stdout_to_the_document(monkeypatch, capsys):
    def logging(_parsed) -> Answer:
        structlog.get_logger().error("one customer's report failed")
        return Answer({"made": 3}, "Made 3")

    monkeypatch.setattr("billing_core.commands.bill_runs.run", logging)
    assert main(["--json", "report", "run", "--from", "2026-01-01", "--to", "2026-01-31"]) == 0
    written = capsys.readouterr()
    assert json.loads(written.out) == {"made": 3}
    assert "one customer's report failed" in written.err


def test_reports_whose_orders_have_changed_are_warned_of(capsys, sessions, tmp_path):
    """SO-1 of 4.00 is on a draft for March; then a file gives it a day in April, and its report of April is made."""
    main(["report", "generate", "--customer", "ALFKI", *MARCH])
    with sessions.begin() as session:
        from_reports.draft_from_report(session, SYSTEM, 1, now=NOW, today=NOW.date())
    file = tmp_path / "orders.csv"
    file.write_text("order_number,customer_ref,order_date,status\nSO-1,ALFKI,2026-04-01,shipped\n")
    assert main(["import", "orders", str(file)]) == 0
    capsys.readouterr()
    april = ["--from", "2026-04-01", "--to", "2026-04-30"]
    warning = (
        "Warning: report 1 (Acme Corp, 2026-03-01 to 2026-03-31): orders changed: 1, difference -4.00 USD; "
        "it is on a draft (no. 1)\n"
    )

    assert main(["report", "generate", "--customer", "ALFKI", *april]) == 0
    assert warning in capsys.readouterr().err
    assert main(["--json", "report", "run", *april]) == 0
    said = capsys.readouterr()
    assert warning in said.err
    assert json.loads(said.out)["outdated"] == [
        {
            "report": 1,
            "orders_changed": 1,
            "difference_minor": -400,
            "currency": "USD",
            "invoices": ["a draft (no. 1)"],
        }
    ]
