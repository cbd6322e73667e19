"""``imports list``, ``show`` and ``take-back`` on the command line."""

import json

import pytest
from sqlalchemy import select

from billing_core import __main__, runtime
from billing_core.customers import service as customers
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import SYSTEM
from billing_core.imports import service
from tests.imports.files import incoming, row_count
from tests.invoices.company import GRACE

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def command(sessions, monkeypatch, capsys):
    """``command("list")``: (exit code, stdout, stderr)."""
    monkeypatch.setattr(runtime, "sessions", lambda: sessions)

    def run(*words: str, as_json: bool = False):
        code = __main__.main([*(["--json"] if as_json else []), "imports", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def imported(sessions):
    """1: ACME comes. 2: it is renamed. 3: SO-1 of ACME."""
    for one in (
        incoming("customers", "customer_ref,name\nACME,Acme\n"),
        incoming("customers", "customer_ref,name\nACME,Acme Inc\n", file_name="erp.csv"),
        incoming("orders", "order_number,customer_ref,order_date\nSO-1,ACME,2025-03-04\n"),
    ):
        service.apply(sessions, SYSTEM, one, now=utc_now())


def test_imports_are_listed_newest_first(imported, command):
    code, out, err = command("list", "--kind", "customers", "--limit", "1")
    assert (code, err) == (0, "")
    assert out.startswith("2: ")
    assert out.endswith(" UTC, customers from erp.csv: 0 new, 1 changed, 0 unchanged, 0 removed\n")
    _, out, _ = command("list", as_json=True)
    assert [(one["id"], one["kind"], one["new"], one["taken_back_at"]) for one in json.loads(out)] == [
        (3, "orders", 1, None),
        (2, "customers", 0, None),
        (1, "customers", 1, None),
    ]


def test_what_an_import_changed_is_said_and_written(imported, command, tmp_path):
    code, out, _ = command("show", "2", "-o", str(tmp_path / "all.csv"))
    assert (code, out.splitlines()[1:]) == (0, ["changed: ACME: name: Acme → Acme Inc"])
    assert (tmp_path / "all.csv").read_text("utf-8-sig").splitlines()[1:] == ["changed,ACME,name,Acme,Acme Inc"]
    assert command("show", "9") == (1, "", "There is no import 9\n")
    assert command("show", "2", "-o", str(tmp_path))[0] == 1


def test_an_import_is_taken_back_unless_something_is_in_the_way(imported, command, sessions):
    in_the_way = "ACME has an order from import 3 (file.csv): take that back first"
    changed = "ACME was changed by import 2 (erp.csv): take that back first"
    code, _out, err = command("take-back", "1")
    assert (code, f"The import of file.csv cannot be taken back: {in_the_way}; {changed}" in err) == (1, True)
    code, out, _err = command("take-back", "1", "--dry-run", as_json=True)
    assert (code, json.loads(out)["obstacles"], json.loads(out)["in_the_way"][0]) == (1, 2, in_the_way)
    assert (
        command("take-back", "3", "--dry-run")[1] == "would go: 1\nchanged, would return: 0\nremoved, would return: 0\n"
    )
    for run_id in ("3", "2", "1"):
        assert command("take-back", run_id)[0] == 0
    assert row_count(sessions, Customer) == 0


def test_it_is_said_which_rows_go_that_people_have_changed_since(command, sessions):
    rows = "customer_ref,name\nB,Bea\nA,Ada\n"
    service.apply(sessions, SYSTEM, incoming("customers", rows), now=utc_now())
    with sessions.begin() as session:
        for one in session.scalars(select(Customer)):
            customers.change(session, GRACE, one.id, version=1, facts={"name": "Beate"}, now=utc_now())
    named = "of these, with what people have changed since, {}: A (by Grace Hopper), B (by Grace Hopper)"
    assert command("take-back", "1", "--dry-run")[1].splitlines()[-1] == named.format("would go")
    assert json.loads(command("take-back", "1", "--dry-run", as_json=True)[1])["edited"] == 2
    assert command("take-back", "1")[1].splitlines()[-1] == named.format("gone")
