"""Every way in which a file can be wrong has its message, and leaves the data as it was."""

import pytest

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.errors import Forbidden, Invalid
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.imports import service
from billing_core.imports.models import ColumnMapping, ImportRun
from billing_core.orders.models import Order, OrderLine, Product
from tests.imports.files import counts, incoming, rejections, row_count

# What is wrong with a file or a cell is found before any database is asked.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVERYTHING = (Customer, Product, Order, OrderLine, ImportRun, ColumnMapping, AuditEntry)

NO_TABLE = {
    "nothing at all": (b"", "The file is empty."),
    "blank lines": (b"\n\n  \n", "The file is empty."),
    "a mark and nothing else": (b"\xef\xbb\xbf\n,\n", "The file is empty: there is no line with the names"),
    "a PDF": (b"%PDF-1.7 ...", "This is no table but a PDF document."),
    "a workbook": (b"PK\x03\x04rest", "This is a ZIP file or an Excel workbook that is damaged"),
    "an old workbook": (b"\xd0\xcf\x11\xe0rest", "The workbook is damaged or not whole."),
    "a web page": (b"<!DOCTYPE html><html>", "This is a web page, whatever its name says"),
    "JSON": (b'[{"order_number": 1}]', "This is no table but JSON."),
    "half a character of UTF-16": ("order_number,sku\n".encode("utf-16")[:-1], "The file is UTF-16 and ends within"),
    "binary": (b"order_number,sku\n\x00\x01", "This is no table: it contains binary data."),
}
ITEMS = b"order_number,sku,quantity\n"
BROKEN = {
    "half UTF-8, half Latin-1": (
        ITEMS + b"SO-1,th\xc3\xa9,1\nSO-1,\xc2\xb5,1\nSO-1,caf\xe9,1\n",
        "Line 4 is not UTF-8 (byte 0xE9). Choose another encoding, or save the file as an Excel workbook",
    ),
    "a character cut off": (
        ITEMS + b"SO-1,th\xc3\xa9,1\nSO-1,\xc2\xb5,1\nSO-1,\xc3",
        "Line 4 is not UTF-8: the file ends within a character.",
    ),
    "a missing column": (
        b"order_number;sku\nSO-1;A\n",
        "No column of the file is quantity. Its columns are: order_number, sku.",
    ),
    "10 MB in one cell": (
        ITEMS + b"SO-1,A,1\nSO-1," + b"x" * 10_000_000 + b",1\n",
        "Line 3, column “sku”: the cell is longer than 131,072 characters. Is a quote left open before it?",
    ),
    "a quote that swallows the rest": (
        ITEMS + b'SO-1,"A,1\n' + b"SO-1,B,1\n" * 20_000,
        "Line 2, column “sku”: the cell is longer than 131,072 characters. Is a quote left open before it?",
    ),
    "a quote never closed": (ITEMS + b'SO-1,"A,1\n', "Line 2: a quote is opened and never closed."),
    "a stray quote": (
        ITEMS + b'SO-1,"C",1\nSO-1,"A"B,1\n',
        "Line 3: a quote within a quoted cell is not doubled.",
    ),
}


@ONE_DATABASE
@pytest.mark.parametrize(("content", "message"), [*NO_TABLE.values(), *BROKEN.values()], ids=[*NO_TABLE, *BROKEN])
def test_a_broken_file_is_refused_with_its_place(content, message, one_order, take_in, dry_run, sessions):
    before = [row_count(sessions, model) for model in EVERYTHING]
    for attempt in (take_in, dry_run):
        with pytest.raises(Invalid) as refused:
            attempt("order-items", content)
        assert str(refused.value).startswith(message)
    assert [row_count(sessions, model) for model in EVERYTHING] == before


ROWS = {
    "unknown order": ("SO-9,A,1", (2, "order_number", "SO-9", "no order has this number; import orders first")),
    "negative quantity": ("SO-1,A,-1", (2, "quantity", "-1", "must not be negative")),
    "no number": ("SO-1,A,many", (2, "quantity", "many", "is not a number")),
    "not a number": ("SO-1,A,NaN", (2, "quantity", "NaN", "is not a number")),
    "infinite": ("SO-1,A,inf", (2, "quantity", "inf", "is not a number")),
    "huge exponent": ("SO-1,A,1e400", (2, "quantity", "1e400", "is written with an exponent; write the number out")),
    "too large": ("SO-1,A,1000000001", (2, "quantity", "1000000001", "is larger than 1,000,000,000")),
    "too exact": ("SO-1,A,0.1234", (2, "quantity", "0.1234", "has more than 3 decimals")),
    "no quantity": ("SO-1,A,", (2, "quantity", "", "is empty")),
    "no SKU": ("SO-1,  ,1", (2, "sku", "", "is empty")),
    "long SKU": ("SO-1," + "x" * 101 + ",1", (2, "sku", "x" * 101, "is 101 characters long; at most 100 are kept")),
    "control character": ("SO-1,A\x01B,1", (2, "sku", "A\x01B", "contains the control character U+0001")),
    "too many cells": ("SO-1,A,1,x", (2, "", "SO-1", "the line has 4 cells, the header has 3")),
    "too few cells": ("SO-1,A", (2, "", "SO-1", "the line has 2 cells, the header has 3")),
}


@ONE_DATABASE
@pytest.mark.parametrize(("row", "rejection"), ROWS.values(), ids=ROWS)
def test_a_wrong_order_line_is_rejected_with_line_column_value_and_reason(
    row, rejection, one_order, take_in, dry_run, sessions
):
    file = f"order_number,sku,quantity\n{row}\nSO-1,GOOD,1\n"
    before = [row_count(sessions, model) for model in EVERYTHING]

    assert rejections(dry_run("order-items", file)) == [rejection]
    refused = take_in("order-items", file)

    assert counts(refused) == (1, 0, 0, 1)
    assert not refused.applied
    assert rejections(refused) == [rejection]
    assert [row_count(sessions, model) for model in EVERYTHING] == before


ORDERS = {
    "unknown customer": (
        "SO-2,NOBODY,2025-03-04,new,",
        ("customer_ref", "NOBODY", "no customer has this customer_ref; import customers first"),
    ),
    "a date that is none": ("SO-2,ACME,2025-02-30,new,", ("order_date", "2025-02-30", "is not a day of the calendar")),
    "a word for a date": ("SO-2,ACME,soon,new,", ("order_date", "soon", "is not a date such as “2025-03-31”")),
    "another customer's order": (
        "SO-1,BETA,2025-03-04,new,",
        ("order_number", "SO-1", "is an order of customer ACME; order numbers are unique over all customers"),
    ),
}


@pytest.mark.parametrize(("row", "rejection"), ORDERS.values(), ids=ORDERS)
def test_a_wrong_order_is_rejected(row, rejection, one_order, take_in, sessions):
    file = f"order_number,customer_ref,order_date,status,ship_to_country\n{row}\n"

    refused = take_in("orders", file)

    assert counts(refused) == (0, 0, 0, 1)
    assert rejections(refused) == [(2, *rejection)]
    assert row_count(sessions, Order) == 1


def test_a_key_that_comes_again_with_other_content_is_rejected(two_customers, take_in, sessions):
    refused = take_in(
        "orders",
        "order_number,customer_ref,order_date\nSO-1,ACME,2025-01-01\nSO-2,ACME,2025-01-01\nSO-1,ACME,2025-01-02\n",
    )
    assert rejections(refused) == [
        (4, "order_number", "SO-1", "comes again with other content; it was first on line 2")
    ]
    assert row_count(sessions, Order) == 0


def test_a_row_that_comes_again_just_so_changes_nothing(two_customers, take_in, sessions):
    outcome = take_in("orders", "order_number,customer_ref,order_date\nSO-1,ACME,2025-01-01\n SO-1 ,ACME,2025-01-01\n")
    assert counts(outcome) == (1, 0, 1, 0)
    assert row_count(sessions, Order) == 1


def test_products_without_a_customer_say_how_to_name_one(two_customers, take_in):
    with pytest.raises(Invalid) as refused:
        take_in("products", "sku,name\n1,Chai\n")
    assert str(refused.value) == (
        "The file names no customer (customer_ref), and products are the customer's own. Its columns are: sku, name. "
        "Name the column, one customer (customer_ref==REF), or every customer (customer_ref==*)."
    )


def test_products_of_every_customer_need_a_customer(take_in):
    refused = take_in("products", "sku,name\n1,Chai\n", "customer_ref==*")
    assert rejections(refused) == [
        (2, "sku", "1", "there is no customer yet whose product it could be; import customers first")
    ]


def test_a_column_that_the_file_lacks_cannot_be_mapped(take_in):
    with pytest.raises(Invalid) as refused:
        take_in("customers", "customer_ref,name\nA,B\n", "name=Company")
    assert str(refused.value) == "The file has no column “Company”. Its columns are: customer_ref, name."


def test_a_field_that_the_kind_lacks_cannot_be_mapped(take_in):
    with pytest.raises(Invalid) as refused:
        take_in("services", "service_code,name\nA,B\n", "price=name")
    assert str(refused.value) == "“price” is not a column of services. They are: service_code, name, cost_type"


def test_only_those_who_may_import_can(sessions):
    manager = actor_with(Role.MANAGER, user_id=1, name="Mario")
    file = incoming("customers", "customer_ref,name\nA,B\n")
    for verb in (service.check, service.apply):
        with pytest.raises(Forbidden):
            verb(sessions, manager, file, now=None)
    with pytest.raises(Forbidden):
        service.rehearse(sessions, manager, [file], now=None)


def test_a_failure_in_the_middle_of_writing_leaves_the_data_as_it_was(one_order, take_in, sessions, monkeypatch):
    before = [row_count(sessions, model) for model in EVERYTHING]

    def power_cut(*_arguments, **_named):
        raise ConnectionAbortedError

    # The lines are written by then; only their trace in the audit log is missing.
    monkeypatch.setattr(service.audit, "record", power_cut)
    with pytest.raises(ConnectionAbortedError):
        take_in("order-items", "order_number,sku,quantity\nSO-1,A,1\n")

    assert [row_count(sessions, model) for model in EVERYTHING] == before


def test_an_sku_too_long_in_capital_letters_is_rejected(take_in, one_order):
    outcome = take_in("order-items", f"order_number,sku,quantity\nSO-1,{'ß' * 51},1\n")
    assert [(line, column) for line, column, *_ in rejections(outcome)] == [(2, "sku")]


def test_a_file_may_have_a_name_that_no_text_can_hold(sessions, two_customers):
    named = incoming("customers", "customer_ref,name\nACME,Acme Limited\n", file_name="b\0ad\udcff.csv")
    assert service.apply(sessions, SYSTEM, named, now=utc_now()).applied
