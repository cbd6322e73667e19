"""The tax return by hand: what each document adds, on which day, and how each cell opens into its documents.

January, in USD: 100.00 at 19 % and 50.00 at 7 % to Germany, 70.00 without tax to the USA, 80.00 without tax to France
for another reason; 10.00 and 20.00 at 19 % to Germany, of which the second is written off. In EUR: 10.00 at 19 %. A
draft. February: of the 10.00 half is credited, and what is left of it is cancelled. The German customer moves to
Austria.
"""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from billing_core import catalogue, figures
from billing_core.customers.models import Customer
from billing_core.dates import Period
from billing_core.errors import Forbidden, NotFound
from billing_core.figures import Scope
from billing_core.identity import SYSTEM, Actor, Permission, Role, actor_with
from billing_core.invoices import after_sending, credit_notes
from billing_core.invoices.documents import document
from billing_core.invoices.models import CreditNote, Invoice
from billing_core.payments import write_offs
from billing_core.tax_returns import exporting, queries, verification
from billing_core.tax_returns.documents import Cell
from billing_core.tax_returns.figures import Measure, of_cell, of_key
from tests.invoices.company import GRACE, READER, a_customer, a_draft, a_line, an_invoice

D = Decimal
JANUARY, FEBRUARY = Period.month_of(date(2026, 1, 1)), Period.month_of(date(2026, 2, 1))
FIRST, LATE = date(2026, 1, 15), date(2026, 2, 10)
KNOWN = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@pytest.fixture
def company(session):
    german = a_customer(session, "DE", name="Deutsch", country="DE")
    american = a_customer(session, "US", country="US")
    french = a_customer(session, "FR", country="FR")
    on = {"issued_on": FIRST}
    an_invoice(session, german, a_line("Work", "1", "100", "19"), a_line("Book", "1", "50", "7"), **on)
    an_invoice(session, american, a_line("Work", "1", "70", "0"), zero_tax_reason="Export", **on)
    an_invoice(session, french, a_line("Work", "1", "80", "0"), zero_tax_reason="Reverse charge", **on)
    wrong = an_invoice(session, german, a_line("Work", "1", "10", "19"), **on)
    lost = an_invoice(session, german, a_line("Work", "1", "20", "19"), **on)
    an_invoice(session, german, a_line("Work", "1", "10", "19"), currency="EUR", **on)
    a_draft(session, german, **on)
    write_offs.write_off(session, SYSTEM, lost.id, reason="Bankrupt", today=FIRST, now=KNOWN)
    facts = {"reason": "Late", "issued_on": LATE, "today": LATE, "now": KNOWN}
    credit_notes.issue(session, SYSTEM, wrong.id, amount_minor=5_95, **facts)
    after_sending.cancel(session, SYSTEM, wrong.id, today=LATE, now=KNOWN, reason="A mistake")
    session.get_one(Customer, german).country = "AT"
    session.flush()
    return {"german": german, "american": american}


def rows(session, period, *, actor=SYSTEM, **limits):
    found = queries.tax_return(session, actor, Scope(period, **limits))
    return [
        (row.currency, row.country, f"{row.rate.normalize():f}", row.reason, row.net_minor, row.tax_minor)
        for row in found
    ]


def test_invoices_count_on_their_day_by_country_rate_and_reason(session, company):
    assert rows(session, JANUARY) == [
        ("EUR", "DE", "19", "", 10_00, 1_90),
        ("USD", "DE", "7", "", 50_00, 3_50),
        ("USD", "DE", "19", "", 130_00, 24_70),
        ("USD", "FR", "0", "Reverse charge", 80_00, 0),
        ("USD", "US", "0", "Export", 70_00, 0),
    ]


def test_credit_notes_and_cancellations_count_on_theirs(session, company):
    assert rows(session, FEBRUARY) == [("USD", "DE", "19", "", -10_00, -1_90)]
    assert rows(session, FEBRUARY, known_at=datetime(2026, 3, 3, 8, tzinfo=UTC)) == []
    (row,) = queries.tax_return(session, SYSTEM, Scope(FEBRUARY))
    assert (row.invoiced_net_minor, row.credited_net_minor) == (0, -10_00)


def test_a_return_is_of_one_business_or_of_all(session, company):
    assert queries.tax_return(session, SYSTEM, Scope(JANUARY), business_id=2) == []
    assert len(queries.tax_return(session, SYSTEM, Scope(JANUARY), business_id=1)) == 5


def test_a_period_includes_both_its_days_and_no_other(session, company):
    first, late = Period(FIRST, FIRST), Period(LATE, LATE)
    assert rows(session, first) == rows(session, JANUARY)
    assert rows(session, late) == rows(session, FEBRUARY)
    for period in (Period(date(2026, 1, 1), date(2026, 1, 14)), Period(date(2026, 1, 16), date(2026, 2, 9))):
        assert rows(session, period) == []
    assert queries.newest_day(session, SYSTEM) == FIRST
    assert queries.newest_day(session, SYSTEM, business_id=2) is None


def test_who_is_bound_to_a_customer_sees_that_one_alone(session, company):
    bound = actor_with(Role.MANAGER, user_id=None, name="Ben", customer_id=company["american"])
    assert [row[1] for row in rows(session, JANUARY, actor=bound)] == ["US"]
    nobody = Actor(None, "Nobody", frozenset({Permission.EXPORT}))
    with pytest.raises(Forbidden):
        rows(session, JANUARY, actor=nobody)


def labels(session, figure, period):
    found = figures.page(session, SYSTEM, figure, Scope(period, "USD"))
    return sorted((row.label, row.amount) for row in found)


def test_each_cell_opens_into_its_documents(session, company):
    at_19 = Cell(1, "DE", D(19), "")
    assert labels(session, of_cell(Measure.TAX, at_19), JANUARY) == [
        ("INV-2026-001, Acme Corp", 19_00),
        ("INV-2026-004, Acme Corp", 1_90),
        ("INV-2026-005, Acme Corp", 3_80),
    ]
    credited = [("CN-2026-001 for INV-2026-004, Acme Corp", -5_00), ("INV-2026-004 cancelled, Acme Corp", -5_00)]
    assert labels(session, of_cell(Measure.NET, at_19), FEBRUARY) == credited
    assert labels(session, of_cell(Measure.CREDITED_NET, at_19), FEBRUARY) == credited
    assert labels(session, of_cell(Measure.INVOICED_NET, at_19), FEBRUARY) == []
    export = of_cell(Measure.INVOICED_NET, Cell(1, "US", D(0), "Export"))
    assert labels(session, export, JANUARY) == [("INV-2026-002, Acme Corp", 70_00)]
    assert figures.value(session, SYSTEM, of_cell(Measure.TAX, Cell(1)), Scope(JANUARY)) == {"EUR": 1_90, "USD": 28_20}


@pytest.mark.parametrize("cell", [Cell(), Cell(1, "", D("7.5"), ""), Cell(2, "DE", D(0), "§ 13b / 0 %, „so“")])
def test_a_cell_is_found_by_its_key(session, cell):
    figure = of_cell(Measure.TAX, cell)
    assert "/" not in figure.key
    found = of_key(figure.key)
    assert (found.key, found.title) == (figure.key, figure.title)


@pytest.mark.parametrize(
    "key", ["x.*.*.*.*", "net.*.*.*", "net.-1.*.*.*", "net.*.D1.*.*", "net.*.*.x.*", "net.*.*.*.=x"]
)
def test_a_key_that_names_no_cell_is_not_found(session, key):
    with pytest.raises(NotFound):
        catalogue.find(SYSTEM, f"tax_return.{key}", Scope())


def read(download):
    return list(csv.DictReader(io.StringIO(b"".join(download.chunks).decode())))


def test_the_files_add_up_to_each_other(session, company):
    year = Scope(Period(JANUARY.start, FEBRUARY.end), "USD")
    first, *_ = found = read(exporting.as_csv(session, GRACE, year))
    assert (first["business"], first["start_date"], first["end_date"]) == ("My business", "2026-01-01", "2026-02-28")
    names = ("country", "tax_rate", "invoiced_net", "credited_net", "net_amount", "tax_amount")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("DE", "7", "50.00", "0.00", "50.00", "3.50"),
        ("DE", "19", "130.00", "-10.00", "120.00", "22.80"),
        ("FR", "0", "80.00", "0.00", "80.00", "0.00"),
        ("US", "0", "70.00", "0.00", "70.00", "0.00"),
    ]
    documents = read(exporting.documents_as_csv(session, GRACE, year))
    assert [(row["kind"], row["number"], row["tax_amount"]) for row in documents if D(row["net_amount"]) < 0] == [
        ("cancellation", "INV-2026-004", "-0.95"),
        ("credit_note", "CN-2026-001", "-0.95"),
    ]
    for name in ("net_amount", "tax_amount"):
        assert sum(D(row[name]) for row in documents) == sum(D(row[name]) for row in found)
    book = load_workbook(io.BytesIO(b"".join(exporting.workbook(session, GRACE, year, now=KNOWN).chunks)))
    assert (book["Tax"].max_row, book["Documents"].max_row) == (5, 9)
    with pytest.raises(Forbidden):
        exporting.as_csv(session, READER, year)


_LINES = st.lists(
    st.builds(
        a_line,
        quantity=st.integers(1, 9),
        unit_price=st.decimals("0.01", 99, places=2),
        tax_rate=st.sampled_from(["0", "7", "19.6"]),
    ),
    min_size=1,
    max_size=4,
)
_INVOICES = st.lists(
    st.tuples(_LINES, st.none() | st.decimals(0, 50, places=2), st.integers(0, 300), st.booleans()), max_size=3
)


@pytest.mark.drawn
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_INVOICES)
def test_whatever_was_sent_the_return_is_what_documents_print(session, drawn):
    """Against the tax rows of the documents themselves, and against the ledger."""
    undo = session.begin_nested()
    customer = a_customer(session, country="DE")
    printed: dict[Decimal, list[int]] = {}

    def add(by_rate, sign):
        for row in by_rate:
            sums = printed.setdefault(row.rate, [0, 0])
            sums[0], sums[1] = sums[0] + sign * row.net_minor, sums[1] + sign * row.tax_minor

    for lines, discount, credited, cancelled in drawn:
        invoice = an_invoice(session, customer, *lines, discount_percent=discount, issued_on=FIRST)
        add(document.of_invoice(session, invoice.id).totals.by_rate, 1)
        if 0 < credited <= invoice.due_minor:
            facts = {"reason": "Late", "issued_on": FIRST, "today": FIRST, "now": KNOWN}
            note: CreditNote = credit_notes.issue(session, SYSTEM, invoice.id, amount_minor=credited, **facts)
            add(document.of_credit_note(session, note.id).by_rate, -1)
        if cancelled and invoice.due_minor:
            left = credit_notes.left(session, session.get_one(Invoice, invoice.id))
            add(left, -1)
            after_sending.cancel(session, SYSTEM, invoice.id, today=FIRST, now=KNOWN, reason="A mistake")
    found = queries.tax_return(session, SYSTEM, Scope(JANUARY))
    wrong = [check.wrong for check in verification.checks(session) if check.wrong]
    undo.rollback()
    session.expire_all()
    assert {row.rate: [row.net_minor, row.tax_minor] for row in found} == printed
    assert wrong == []
