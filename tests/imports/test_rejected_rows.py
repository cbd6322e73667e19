"""Rejected rows: grouped by what is wrong, set aside in an import, repaired and dropped again."""

import csv
import io
from pathlib import Path

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.csv_text import harmless, unescaped
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.imports import Kind, service
from billing_core.imports.incoming import Incoming
from billing_core.imports.mapping import REASON_COLUMN
from billing_core.imports.models import ImportRun
from tests.imports.files import counts, incoming

# Four addresses that are none, one row without a name, one good one.
SIX = """Key;Company;Mail;Phone
1;One;Atlantis;+49 1
2;Two;atlantis;=2
3;;f@x.example;'t Hooft
4;Four;Lemuria;
5;Five;Atlantis;-5
6;Six;f@x.example;"a;b"
"""
NO_ADDRESS = "is not an e-mail address such as ana@example.com"
MAPS = ("customer_ref=Key", "name=Company", "email=Mail", "phone=Phone")


def to_repair(sessions, content, *maps, set_aside=0, kind="customers", apply=True):
    """What came of the file, and the file of its rejected rows."""
    rejected = io.BytesIO()
    file = incoming(kind, content, *maps)
    given = Incoming(
        file.kind, file.stream, file.file_name, file.changes, rejected_rows=rejected, may_set_aside=set_aside
    )
    take_in = service.apply if apply else service.check
    return take_in(sessions, SYSTEM, given, now=utc_now()), rejected.getvalue().decode("utf-8-sig")


def test_rejections_are_grouped_by_column_and_reason(dry_run):
    outcome = dry_run("customers", SIX, *MAPS)

    assert [
        (group.field, group.column, group.rows, group.first_line, group.value_count, group.values)
        for group in outcome.groups
    ] == [
        ("email", "Mail", 4, 2, 3, (("Atlantis", 2), ("atlantis", 1), ("Lemuria", 1))),
        ("name", "Company", 1, 4, 1, (("", 1),)),
    ]
    assert outcome.groups[0].reason == NO_ADDRESS


def test_reasons_that_differ_by_what_each_row_has_are_one_group(two_customers, dry_run):
    """Each names another line, or another length."""
    lines = "".join(f"A{at},{'x' * (201 + at)}\n" for at in range(3))
    long = dry_run("customers", f"customer_ref,name\n{lines}")
    assert [(group.reason, group.rows) for group in long.groups] == [
        ("is … characters long; at most … are kept", 3),
    ]
    again = dry_run("customers", "customer_ref,name\nA,a\nB,b\nA,c\nB,d\n")
    assert [(group.reason, group.rows) for group in again.groups] == [
        ("comes again with other content; it was first on line …", 2)
    ]
    one = dry_run("customers", "customer_ref,name\nA,a\nA,c\n")
    assert [group.reason for group in one.groups] == ["comes again with other content; it was first on line 2"]


def test_what_has_to_be_imported_first_is_known(dry_run):
    outcome = dry_run("orders", "order_number,customer_ref,order_date\n1,NOBODY,2026-01-01\n")
    assert [group.needs for group in outcome.groups] == [Kind.CUSTOMERS]


def test_without_a_word_nothing_is_set_aside(sessions, take_in):
    assert counts(take_in("customers", SIX, *MAPS)) == (1, 0, 0, 5)
    with sessions() as session:
        assert session.scalars(select(Customer)).all() == []


def test_the_good_rows_go_in_and_the_others_are_repaired_and_dropped_again(sessions, take_in):
    outcome, rest = to_repair(sessions, SIX, *MAPS, set_aside=5)

    assert (outcome.applied, outcome.set_aside, counts(outcome)) == (True, 5, (1, 0, 0, 5))
    with sessions() as session:
        assert session.scalars(select(Customer.ref)).all() == ["6"]
        assert session.scalar(select(ImportRun.set_aside_count)) == 5
        assert session.scalars(select(AuditEntry)).one().after["set_aside"] == 5
    assert rest.splitlines()[:4] == [
        f"Key;Company;Mail;Phone;{REASON_COLUMN}",
        f"1;One;Atlantis;'+49 1;Mail: “Atlantis” {NO_ADDRESS}",
        f"2;Two;atlantis;'=2;Mail: “atlantis” {NO_ADDRESS}",
        "3;;f@x.example;'t Hooft;Company: is empty",
    ]

    # The columns are known by now, and why it was rejected is of no use.
    repaired = (
        rest.replace("Atlantis", "a@x.example")
        .replace("atlantis", "b@x.example")
        .replace("Lemuria", "c@x.example")
        .replace("3;;", "3;T;")
    )
    again = take_in("customers", repaired)

    assert (again.applied, counts(again)) == (True, (5, 0, 0, 0))
    with sessions() as session:
        phones = dict(session.execute(select(Customer.ref, Customer.phone)).all())
    assert phones == {"1": "+49 1", "2": "=2", "3": "'t Hooft", "4": "", "5": "-5", "6": "a;b"}


def test_more_rejected_rows_than_were_agreed_to_are_refused(sessions):
    outcome, _rest = to_repair(sessions, SIX, *MAPS, set_aside=4)
    assert (outcome.applied, outcome.set_aside, outcome.refused) == (False, 0, True)


def test_a_file_without_a_good_row_is_refused(sessions):
    outcome, _rest = to_repair(sessions, "customer_ref,name\n1,\n", set_aside=9)
    assert (outcome.applied, outcome.set_aside) == (False, 0)


def test_an_order_whose_lines_are_replaced_loses_none_to_its_mistakes(one_order, sessions):
    file = incoming("order-items", "order_number,sku,quantity\nSO-1,A,1\nSO-1,B,x\n", lines="replace")
    given = Incoming(file.kind, file.stream, file.file_name, lines=file.lines, may_set_aside=1)
    with pytest.raises(Invalid, match="cannot set rows aside"):
        service.apply(sessions, SYSTEM, given, now=utc_now())


def test_a_row_that_is_too_short_stays_so_until_it_is_repaired(sessions, take_in):
    """Filled up with blanks it would pass for one whose phone is blank."""
    _outcome, rest = to_repair(sessions, "customer_ref,name,phone\n1,One\n2,Two,2\n3,Three,3,x\n", set_aside=2)
    assert rest.splitlines()[1] == "1,One"
    assert counts(take_in("customers", rest)) == (0, 0, 0, 2)
    assert counts(take_in("customers", rest.replace("1,One", "1,One,1").replace(",x,", ","))) == (2, 0, 0, 0)


def test_the_rows_of_a_file_that_was_repaired_once_have_one_reason_each(sessions):
    content = f"customer_ref,name,{REASON_COLUMN}\n1,,old\n2,Two,older\n"
    _outcome, rest = to_repair(sessions, content, apply=False)
    assert rest.splitlines() == [f"customer_ref,name,{REASON_COLUMN}", "1,,name: is empty"]


def test_a_blank_can_be_read_as_something(sessions):
    """As the page sets it."""
    file = incoming("customers", "customer_ref,name,city\n1,One,\n2,Two,Bonn\n")
    given = Incoming(file.kind, file.stream, file.file_name, words={"city": {"": "Kiel"}})
    assert service.apply(sessions, SYSTEM, given, now=utc_now()).applied
    with sessions() as session:
        assert session.scalars(select(Customer.city).order_by(Customer.ref)).all() == ["Kiel", "Bonn"]


@pytest.mark.parametrize("text", ["=1", "+49", "-5", "@x", "'t Hooft", "'", "", "plain", "\tx", "＝1"])
def test_what_is_made_harmless_is_read_back_as_it_was(text):
    assert unescaped(harmless(text)) == text


def test_a_row_that_follows_up_on_another_is_repaired_by_itself(sessions, take_in):
    """The second line of a shop's order has its number in the row above alone."""
    shop = (Path(__file__).parent / "layouts" / "shopify_orders.csv").read_text()
    header, *rows = csv.reader(io.StringIO(shop))
    quantity, number = header.index("Lineitem quantity"), header.index("Name")
    following = next(at for at, row in enumerate(rows) if at and row[number] in ("", rows[at - 1][number]))
    was, rows[following][quantity] = rows[following][quantity], "many"
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    for kind in ("customers", "orders"):
        assert take_in(kind, shop).applied
    outcome, rest = to_repair(sessions, text.getvalue(), kind="order-items", set_aside=1)
    assert (outcome.applied, outcome.set_aside) == (True, 1)

    repaired = take_in("order-items", rest.replace("many", was, 1), lines="add")

    assert counts(repaired) == (1, 0, 0, 0)
    assert counts(take_in("order-items", shop)) == (0, 0, outcome.new + 1, 0)
