"""Files whose numbers and days must be found out, or asked about, from the file to what is stored."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import service
from billing_core.imports.incoming import Incoming
from billing_core.orders.models import Order, OrderLine
from billing_core.rating.models import Rate
from tests.imports.files import incoming, rejections

CASES = Path(__file__).parent / "cases"
LINES = "order_number,sku,quantity\n"
ORDERS = "order_number,customer_ref,order_date\n"


def stored(sessions, *columns) -> list[tuple]:
    with sessions() as session:
        return [tuple(row) for row in session.execute(select(*columns).order_by(columns[0]))]


def test_the_cells_of_a_german_file_prove_what_each_means(one_order, take_in, sessions):
    content = (CASES / "german_quantities.csv").read_text()
    assert take_in("order-items", content, "order_number==SO-1").applied
    assert stored(sessions, OrderLine.sku, OrderLine.quantity) == [
        ("S0", Decimal(1234)),
        ("S1", Decimal("12.5")),
        ("S2", Decimal("1234.5")),
        ("S3", Decimal(1234567)),
        ("S4", Decimal(2000)),
    ]


def test_the_days_of_an_american_file_are_proven_by_two_of_them(two_customers, take_in, sessions):
    content = (CASES / "us_dates.csv").read_text().replace(",X,", ",ACME,")
    assert take_in("orders", content).applied
    assert stored(sessions, Order.number, Order.order_date) == [
        ("CA-1", date(2019, 11, 22)),
        ("CA-2", date(2018, 6, 12)),
        ("CA-3", date(2018, 12, 31)),
    ]


def test_a_doubtful_column_is_asked_about_and_the_answer_is_remembered(one_order, take_in, sessions):
    content = f"{LINES}SO-1,A,1.234\nSO-1,B,7\n"
    asked = take_in("order-items", content)
    assert (asked.applied, asked.refused) == (False, True)
    assert [(one.field, one.column, one.text) for one in asked.questions] == [
        ("quantity", "quantity", "1.234: 1.234 (decimal point) or 1234 (decimal comma)?")
    ]
    assert stored(sessions, OrderLine.sku) == []

    answered = incoming("order-items", content)
    answer = Incoming(answered.kind, answered.stream, "f.csv", readings={"quantity": ("comma",)})
    assert service.apply(sessions, SYSTEM, answer, now=utc_now()).applied
    assert stored(sessions, OrderLine.sku, OrderLine.quantity) == [("A", Decimal(1234)), ("B", Decimal(7))]
    # The next file of the same layout is read as this one was.
    assert take_in("order-items", f"{LINES}SO-1,C,2.345\n", lines="add").applied
    assert stored(sessions, OrderLine.sku, OrderLine.quantity)[2] == ("C", Decimal(2345))


def test_a_proof_far_behind_the_doubtful_cell_is_in_time(one_order, take_in, sessions):
    rows = "".join(f"SO-1,S{number:04},{number + 1}\n" for number in range(700))
    outcome = take_in("order-items", f'{LINES}SO-1,A,1.234\n{rows}SO-1,B,"0,5"\n')
    assert (outcome.applied, outcome.new, outcome.rejected) == (True, 702, 0)
    assert dict(stored(sessions, OrderLine.sku, OrderLine.quantity))["A"] == Decimal(1234)


def test_cells_unlike_the_most_are_rejected_with_their_line(one_order, take_in):
    outcome = take_in("order-items", f'{LINES}SO-1,A,"0,5"\nSO-1,B,1.5\nSO-1,C,"2,5"\n')
    reason = "is not a number with a decimal comma, as its column has"
    assert rejections(outcome) == [(3, "quantity", "1.5", reason)]


def test_a_fixed_value_must_be_plain(one_order, take_in):
    outcome = take_in("order-items", "order_number,sku\nSO-1,A\n", "quantity==1.234")
    reason = "is ambiguous: 1.234 (decimal point) or 1234 (decimal comma)?"
    assert rejections(outcome) == [(2, "quantity", "1.234", reason)]


def test_a_price_in_another_currency_than_its_row_s_is_refused(two_customers, take_in, sessions):
    take_in("services", "service_code,name,cost_type\nPICK,Picking,per_item\n")
    header = "customer_ref,service_code,unit_price"
    outcome = take_in("rates", f"{header},currency\nACME,PICK,€ 1.50,USD\n")
    assert rejections(outcome) == [(2, "unit_price", "€ 1.50", "names another currency than that of its row, USD")]
    (row,) = rejections(take_in("rates", f"{header}\nACME,PICK,$1.50\n"))
    assert row[3] == "names a currency, and the row has none: map the column currency, or give all rows the same"
    assert take_in("rates", f"{header},currency\nACME,PICK,$1.50,USD\n").applied
    assert stored(sessions, Rate.unit_price) == [(Decimal("1.5"),)]


def test_whose_day_it_is_is_asked(two_customers, take_in, sessions):
    content = f"{ORDERS}SO-1,ACME,2025-01-31T23:30:00-02:00\n"
    (question,) = take_in("orders", content).questions
    assert [choice.reading for choice in question.choices] == ["here", "there"]
    answered = incoming("orders", content)
    answer = Incoming(answered.kind, answered.stream, "f.csv", readings={"order_date": ("here",)})
    assert service.apply(sessions, SYSTEM, answer, now=utc_now()).applied
    assert stored(sessions, Order.order_date) == [(date(2025, 2, 1),)]


def test_what_cannot_be_said_of_a_column_is_refused(one_order):
    from billing_core.imports.kinds.registry import DEFINITIONS
    from billing_core.imports.mapping import read_readings

    orders = DEFINITIONS[incoming("orders", "").kind]
    assert read_readings(orders, ["order_date=day-first", "order_date=here", "order_date=month-first"]) == {
        "order_date": ("here", "month-first")
    }
    with pytest.raises(Invalid, match="How order_date is written is one of day-first, month-first"):
        read_readings(orders, ["order_date=comma"])
    with pytest.raises(Invalid, match="How conditions is written cannot be chosen"):
        read_readings(DEFINITIONS[incoming("rates", "").kind], ["conditions=comma"])


def test_what_a_spreadsheet_did_is_repaired_or_the_row_is_refused(take_in, sessions):
    content = (CASES / "excel_damage.csv").read_text()
    damaged = take_in("customers", content)
    assert [row[:3] for row in rejections(damaged)] == [
        (3, "customer_ref", "1.23457E+12"),
        (3, "phone", "4.91512E+11"),
    ]
    assert all("was destroyed by a spreadsheet" in row[3] for row in rejections(damaged))
    assert not damaged.applied

    assert take_in("customers", "".join(content.splitlines(keepends=True)[:2])).applied
    assert stored(sessions, Customer.ref, Customer.name, Customer.postal_code, Customer.phone) == [
        ("00123", "Acme", "08701", "+49 351 1")
    ]


def test_a_lost_zero_comes_back_by_the_row_s_country(take_in, sessions):
    outcome = take_in("customers", "customer_ref,name,zip,country\nA,'t Hooft,1067,Germany\nB,Bolt,1010,Austria\n")
    assert outcome.notes == ["“zip” got back the zeros that a spreadsheet took, by the country: 1067 is 01067"]
    assert stored(sessions, Customer.ref, Customer.name, Customer.postal_code) == [
        ("A", "'t Hooft", "01067"),
        ("B", "Bolt", "1010"),
    ]


@pytest.mark.parametrize("nothing", ['"="""""', "\u200b", "\ufeff\u00a0"])
def test_what_a_spreadsheet_wrote_around_nothing_is_empty(one_order, take_in, nothing):
    assert rejections(take_in("customers", f"customer_ref,name\n{nothing},Acme\n")) == [
        (2, "customer_ref", nothing.replace('""', "|").strip('"').replace("|", '"').strip(), "is empty")
    ]
    assert rejections(take_in("order-items", f"{LINES}SO-1,A,{nothing}\n"))[0][3] == "is empty"
    assert take_in("customers", f"customer_ref,name,zip\nA,Acme,{nothing}\n").applied
