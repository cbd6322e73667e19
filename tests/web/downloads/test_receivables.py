"""Statements, the ageing and the rows of the figures about money, as a browser asks for them."""

from datetime import timedelta

import pytest

from billing_core.dates import day_in, utc_now
from billing_core.identity import Role
from tests.receivables.history import History
from tests.web.downloading import get, read, signed_in


@pytest.fixture
def today():
    return day_in("UTC", utc_now())


@pytest.fixture
def customers(served, today) -> list[int]:
    """Two, who owe 100.00 for ten days and 7.00 from tomorrow on."""
    with served.begin() as session:
        history = History(session, day=today - timedelta(days=20), now=utc_now() - timedelta(days=20))
        one, other = history.a_customer("C1"), history.a_customer("=C2")
        history.send(one, 100_00, terms=10)
        history.send(other, 7_00, terms=21)
        return [one.id, other.id]


@pytest.fixture
def manager(served):
    return signed_in(served, Role.MANAGER)


def test_a_statement_is_saved_as_csv_and_as_pdf(customers, manager, today):
    limits = f"start_date={today - timedelta(days=30)}&end_date={today}&currency=usd"

    rows = read(get(f"/downloads/statements/{customers[0]}.csv?{limits}", manager))
    assert [(row["what"], row["balance"]) for row in rows] == [
        ("Opening balance", "0.00"),
        ("Invoice", "100.00"),
        ("Closing balance", "100.00"),
    ]
    elsewhere = get(f"/downloads/statements/{customers[0]}.csv?{limits}&business_id=2", manager)
    assert (elsewhere.status_code, elsewhere.json()["detail"]) == (404, "There is no business 2")
    assert read(get(f"/downloads/statements/{customers[0]}.csv?{limits}&business_id=1", manager)) == rows
    pdf = get(f"/downloads/statements/{customers[1]}.pdf?{limits}&inline=1", manager)
    assert (pdf.status_code, pdf.headers["content-type"]) == (200, "application/pdf")
    assert pdf.headers["content-disposition"].startswith("inline; ")
    assert pdf.content.startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("statements/1.xlsx?start_date=2026-01-01&end_date=2026-01-31&currency=USD", 404),
        ("statements/99.csv?start_date=2026-01-01&end_date=2026-01-31&currency=USD", 404),
        ("statements/1.csv?start_date=2026-01-01&currency=USD", 400),
        ("statements/1.csv?start_date=2026-02-01&end_date=2026-01-31&currency=USD", 400),
        ("statements/1.csv?start_date=2026-01-01&end_date=2026-01-31&currency=XXY", 400),
        ("statements/1.csv?start_date=2026-01-01&end_date=2026-01-31", 400),
        ("ageing.csv?order_by=nothing", 400),
        ("ageing.csv?as_at=yesterday", 400),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(customers, manager, path, status):
    assert get(f"/downloads/{path}", manager).status_code == status


def test_the_ageing_is_saved_now_and_as_at_a_day(customers, manager, today):
    now = read(get("/downloads/ageing.csv", manager))
    assert [(row["customer_name"], row["current"], row["late_1_30"]) for row in now] == [
        ("Customer C1", "0.00", "100.00"),
        ("Customer =C2", "7.00", "0.00"),
    ]
    then = read(get(f"/downloads/ageing.csv?as_at={today - timedelta(days=15)}&order_by=name", manager))
    assert [(row["customer_name"], row["current"]) for row in then] == [
        ("Customer =C2", "7.00"),
        ("Customer C1", "100.00"),
    ]
    assert read(get(f"/downloads/ageing.csv?as_at={today - timedelta(days=25)}", manager)) == []


@pytest.mark.parametrize(
    ("key", "amounts"),
    [
        ("outstanding", ["100.00", "7.00"]),
        ("overdue", ["100.00"]),
        ("ageing_current", ["7.00"]),
        ("invoiced", ["7.00", "100.00"]),
        ("collected", []),
        ("customer_credit", []),
    ],
)
def test_the_rows_of_a_figure_about_money_are_saved(customers, manager, key, amounts):
    rows = read(get(f"/downloads/figures/{key}.csv", manager))

    assert sorted(row["amount"] for row in rows) == sorted(amounts)


def test_a_figure_takes_the_day_that_its_panel_shows(customers, manager, today):
    asked = f"as_at={today - timedelta(days=15)}"
    assert len(read(get(f"/downloads/figures/outstanding.csv?{asked}", manager))) == 2
    assert read(get(f"/downloads/figures/overdue.csv?{asked}", manager)) == []
    assert read(get(f"/downloads/figures/overdue.csv?today={today - timedelta(days=10)}", manager)) == []


def test_only_who_may_export_gets_files_and_only_of_their_customer(served, customers, today):
    limits = f"start_date={today - timedelta(days=30)}&end_date={today}&currency=USD"
    finance = signed_in(served, Role.FINANCE)
    for path in (f"statements/{customers[0]}.csv?{limits}", "ageing.csv", "figures/outstanding.csv"):
        assert get(f"/downloads/{path}", finance).status_code == 403

    bound = signed_in(served, Role.MANAGER, customer_id=customers[1])
    assert get(f"/downloads/statements/{customers[0]}.csv?{limits}", bound).status_code == 404
    assert get(f"/downloads/statements/{customers[0]}.pdf?{limits}", bound).status_code == 404
    assert [row["customer_id"] for row in read(get("/downloads/ageing.csv", bound))] == [str(customers[1])]
    assert [row["amount"] for row in read(get("/downloads/figures/outstanding.csv", bound))] == ["7.00"]
